"""Conversations in the chat fine-tuning format: an object of JSON a line, `{"messages": [...]}`.

The format is OpenAI's, and what others take as well. Here a conversation is whole turns: perhaps a
system prompt, then messages of the user and replies by turns, a reply last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chat.domain import Role
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings

# Of one conversation: a session is written in one step, and Redis serves nobody else meanwhile.
#
# Measured: 0.3 s for so many; for 400,000 in 18 MB over five seconds, after which Redis was BUSY,
# and the session stood there without anybody who had its token.
MOST_TURNS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A turn that was completed, as texts."""

    asked: str
    said: str
    # Whether the reply is to be learned from; otherwise it is context.
    counts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What one line holds."""

    system_prompt: str | None
    exchanges: Sequence[Exchange]


def line_of(conversation: Conversation) -> bytes:
    """Return the conversation as a line; of replies that don't count it says so by weight 0."""
    return orjson.dumps({"messages": [*_messages(conversation)]}) + b"\n"


def _messages(conversation: Conversation) -> Iterator[dict[str, Any]]:
    if conversation.system_prompt and conversation.system_prompt.strip():
        yield {"role": Role.SYSTEM, "content": conversation.system_prompt}
    for each in conversation.exchanges:
        yield {"role": Role.USER, "content": each.asked}
        reply = {"role": Role.ASSISTANT, "content": each.said}
        yield reply if each.counts else {**reply, "weight": 0}


def read(line: bytes) -> Conversation:
    """Return what a line holds.

    Raises:
        InvalidRequest: it is not of this format, or holds more than a session may; its message
            says what
            is wrong, and where, and quotes nothing of it.
    """
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("This is not JSON in UTF-8.") from error
    if not isinstance(found, dict) or found.keys() != {"messages"}:
        raise InvalidRequest("An object with the one member messages is expected.")
    messages = found["messages"]
    if not isinstance(messages, list):
        raise InvalidRequest("messages: a list is expected.")
    texts = [_text(place, message) for place, message in enumerate(messages)]
    begins = 1 if messages and messages[0]["role"] == Role.SYSTEM else 0
    _check_turns([message["role"] for message in messages[begins:]], begins)
    if sum(len(text.encode()) for text in texts) > chat_settings.MAX_SESSION_BYTES:
        raise InvalidRequest(f"A session holds {chat_settings.MAX_SESSION_BYTES} bytes at most.")
    return Conversation(
        system_prompt=texts[0] if begins else None,
        exchanges=[
            Exchange(asked=asked, said=said)
            for asked, said in zip(texts[begins::2], texts[begins + 1 :: 2], strict=True)
        ],
    )


MEMBERS = {"role", "content"}
# The knob that bounds a text, by who speaks.
MOST = {Role.SYSTEM: "CONTENT_BYTES", Role.USER: "CONTENT_BYTES", Role.ASSISTANT: "REPLY_BYTES"}


def _text(place: int, message: object) -> str:
    """Return the text of a message that is whole and sound."""
    where = f"messages[{place}]"
    if not isinstance(message, dict):
        raise InvalidRequest(f"{where}: an object is expected.")
    role = message.get("role")
    if role not in [*MOST]:  # it may be anything, also what has no hash
        raise InvalidRequest(f"{where}.role: system, user or assistant is expected.")
    _check_members(where, message, role)
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise InvalidRequest(f"{where}.content: a text that says something is expected.")
    if "\x00" in content and role != Role.ASSISTANT:  # a model may have said it
        raise InvalidRequest(f"{where}.content: a text without NUL is expected.")
    if len(content.encode()) > (most := getattr(chat_settings, MOST[role])):
        raise InvalidRequest(f"{where}.content: this may have at most {most} bytes in UTF-8.")
    return content


def _check_members(where: str, message: Mapping[str, object], role: Role) -> None:
    known = MEMBERS | {"weight"} if role == Role.ASSISTANT else MEMBERS
    if message.keys() - known:
        raise InvalidRequest(f"{where}: only {', '.join(sorted(known))} can be taken in.")
    weight = message.get("weight", 1)
    if isinstance(weight, bool) or weight not in [0, 1]:
        raise InvalidRequest(f"{where}.weight: 0 or 1 is expected.")


def _check_turns(roles: Sequence[str], begins: int) -> None:
    for place, role in enumerate(roles):
        wanted = Role.ASSISTANT if place % 2 else Role.USER
        if role != wanted:
            raise InvalidRequest(f"messages[{begins + place}].role: {wanted} is expected here.")
    if not roles or len(roles) % 2:
        raise InvalidRequest("messages: the last one must be a reply.")
    if len(roles) > 2 * MOST_TURNS:
        raise InvalidRequest(f"messages: at most {MOST_TURNS:,} turns can be taken in at once.")
