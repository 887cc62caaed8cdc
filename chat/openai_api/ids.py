"""Ids of the OpenAI-compatible API, which contain the ids of sessions and messages.

| here | in Parley |
|---|---|
| `conv_X` | session `ses_X` |
| `resp_X_4` | the turn with the reply `msg_4` of session `ses_X` |
| `msg_X_4`, `msg_X_4_2` | message `msg_4` of session `ses_X`; the output of its second attempt |
| `rs_X_4`, `rs_X_4_2` | the reasoning of these |
| `msg_X_4_1_1` | text of `msg_4` after more reasoning |
| `chatcmpl-X` | the only turn of session `ses_X` |
"""

import re
from typing import NamedTuple

from chat.domain.errors import NotFound

CONVERSATION = re.compile(r"conv_([0-9a-f]{24})")
RESPONSE = re.compile(r"resp_([0-9a-f]{24})_([1-9][0-9]{0,14})")
ITEM = re.compile(
    r"(msg|rs)_(?P<session>[0-9a-f]{24})_(?P<number>[1-9][0-9]{0,14})(?:_[1-9][0-9]{0,3}){0,2}"
)
REASONING_PREFIX = "rs_"
SESSION_PREFIX = "ses_"


class MessageRef(NamedTuple):
    """A message: the id of its session, and its number there."""

    session_id: str
    number: int

    @property
    def message_id(self) -> str:
        return f"msg_{self.number}"


def conversation_id(session_id: str) -> str:
    return f"conv_{_digits(session_id)}"


def response_id(session_id: str, reply_id: str) -> str:
    """Return the id of a turn's response; reply_id: `msg_4`."""
    return f"resp_{_digits(session_id)}_{reply_id.removeprefix('msg_')}"


def item_id(session_id: str, message_id: str, attempt: int = 1, index: int = 0) -> str:
    """Return the id of a message as an item.

    attempt: of a reply; index: of the texts in it.
    """
    own = f"msg_{_digits(session_id)}_{message_id.removeprefix('msg_')}"
    if index:
        return f"{own}_{attempt}_{index}"
    return f"{own}_{attempt}" if attempt > 1 else own


def reasoning_id(session_id: str, reply_id: str, attempt: int, index: int) -> str:
    """Return the id of reasoning as an item; index: of the reasoning in the reply."""
    own = item_id(session_id, reply_id, attempt, index)
    return REASONING_PREFIX + own.removeprefix("msg_")


def completion_id(session_id: str) -> str:
    return f"chatcmpl-{_digits(session_id)}"


def parse_conversation(text: str) -> str:
    """Return the id of the session.

    Raises:
        NotFound: no conversation has this id.
    """
    if match := CONVERSATION.fullmatch(text):
        return SESSION_PREFIX + match[1]
    raise NotFound("Conversation not found.")


def parse_response(text: str) -> MessageRef:
    """Return the reply of a response.

    Raises:
        NotFound: no response has this id.
    """
    match = RESPONSE.fullmatch(text)
    if match is None or int(match[2]) % 2:
        raise NotFound("Response not found.")
    return MessageRef(SESSION_PREFIX + match[1], int(match[2]))


def parse_item(text: str) -> MessageRef:
    """Return the message of an item.

    Raises:
        NotFound: no item has this id.
    """
    if match := ITEM.fullmatch(text):
        return MessageRef(SESSION_PREFIX + match["session"], int(match["number"]))
    raise NotFound("Item not found.")


def _digits(session_id: str) -> str:
    return session_id.removeprefix(SESSION_PREFIX)
