"""Random ids, and the ids of messages."""

import re
from random import getrandbits

from chat.domain.errors import MessageNotFound

MESSAGE_ID = re.compile(r"msg_([1-9][0-9]{0,14})")


def random_id() -> str:
    """Return 16 random hexadecimal digits; unique, but not secret.

    The generator is seeded once per process. Reading the system's randomness would release the
    interpreter lock, three times a turn.
    """
    return f"{getrandbits(64):016x}"


def message_number(message_id: str) -> int:
    """Return the number of a message.

    Raises:
        MessageNotFound: no message can have this id.
    """
    match = MESSAGE_ID.fullmatch(message_id)
    if match is None:
        raise MessageNotFound
    return int(match.group(1))
