"""Message numbers, and text in the forms that the scripts splice."""

import re
import unicodedata

import orjson

from chat.domain.errors import MessageNotFound

MESSAGE_ID = re.compile(r"msg_([1-9][0-9]{0,14})")


def escaped(text: str) -> bytes:
    """Return the inside of `text` as a JSON string; such insides can be joined."""
    return orjson.dumps(text)[1:-1]


def folded(text: str) -> str:
    """Return `text` as names are compared: in capitals or not, composed or not, on one line."""
    caseless = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(caseless.split())


def number_in(message: bytes) -> int:
    """Return the number of a message that is JSON: inside its texts, quotes bear backslashes."""
    return int(message.split(b'"id":"msg_', 1)[1].split(b'"', 1)[0])


def number_of(message_id: str) -> int:
    """Return the number of a message.

    Raises:
        MessageNotFound: no message can have this id.
    """
    found = MESSAGE_ID.fullmatch(message_id)
    if found is None:
        raise MessageNotFound
    return int(found.group(1))
