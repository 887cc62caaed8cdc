"""The chat fine-tuning format: one JSON object per line, `{"messages": [...]}`.

It is OpenAI's format, and other vendors read it as well. Here a conversation consists of complete
turns: an optional system prompt, then alternating user and assistant messages, ending with a reply.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chat.domain import Role
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings

# Maximum turns per conversation. A session is written by one script, which blocks Redis: measured,
# 0.3 s for 10,000 turns; 400,000 turns in 18 MB took over five seconds and made Redis BUSY.
MAX_TURNS = 10_000
FIELDS = {"role", "content"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The texts of a completed turn. train: learn from the reply, or use it as context only."""

    prompt: str
    reply: str
    train: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The contents of one line."""

    system_prompt: str | None
    pairs: Sequence[Pair]


def dump(conversation: Conversation) -> bytes:
    """Return the conversation as a line. Replies that are context only have weight 0."""
    return orjson.dumps({"messages": [*_messages(conversation)]}) + b"\n"


def _messages(conversation: Conversation) -> Iterator[dict[str, Any]]:
    if conversation.system_prompt and conversation.system_prompt.strip():
        yield {"role": Role.SYSTEM, "content": conversation.system_prompt}
    for pair in conversation.pairs:
        yield {"role": Role.USER, "content": pair.prompt}
        reply = {"role": Role.ASSISTANT, "content": pair.reply}
        yield reply if pair.train else {**reply, "weight": 0}


def parse(line: bytes) -> Conversation:
    """Return the conversation in a line.

    Raises:
        InvalidRequest: the line has another format or exceeds a limit. The message says what is
            wrong and where, without quoting the line.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("Not valid JSON in UTF-8.") from error
    if not isinstance(document, dict) or document.keys() != {"messages"}:
        raise InvalidRequest("Expected an object with the single field messages.")
    messages = document["messages"]
    if not isinstance(messages, list):
        raise InvalidRequest("messages: expected a list.")
    texts = [_content(index, message) for index, message in enumerate(messages)]
    start = 1 if messages and messages[0]["role"] == Role.SYSTEM else 0
    _check_turns([message["role"] for message in messages[start:]], start)
    if sum(len(text.encode()) for text in texts) > chat_settings.MAX_SESSION_BYTES:
        raise InvalidRequest(f"A session holds at most {chat_settings.MAX_SESSION_BYTES} bytes.")
    return Conversation(
        system_prompt=texts[0] if start else None,
        pairs=[
            Pair(prompt=prompt, reply=reply)
            for prompt, reply in zip(texts[start::2], texts[start + 1 :: 2], strict=True)
        ],
    )


def _content(index: int, message: object) -> str:
    where = f"messages[{index}]"
    if not isinstance(message, dict):
        raise InvalidRequest(f"{where}: expected an object.")
    role: Any = message.get("role")
    if role not in [*Role]:  # a list: the value may not be hashable
        raise InvalidRequest(f"{where}.role: expected system, user or assistant.")
    _check_fields(where, message, role)
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise InvalidRequest(f"{where}.content: expected text that is not blank.")
    if "\x00" in content and role != Role.ASSISTANT:  # models can write NUL
        raise InvalidRequest(f"{where}.content: NUL is not allowed.")
    if len(content.encode()) > (maximum := _max_bytes(role)):
        raise InvalidRequest(f"{where}.content: must have at most {maximum} bytes of UTF-8.")
    return content


def _max_bytes(role: Role) -> int:
    is_reply = role == Role.ASSISTANT
    return chat_settings.MAX_REPLY_BYTES if is_reply else chat_settings.MAX_CONTENT_BYTES


def _check_fields(where: str, message: Mapping[str, object], role: Role) -> None:
    known = FIELDS | {"weight"} if role == Role.ASSISTANT else FIELDS
    if message.keys() - known:
        raise InvalidRequest(f"{where}: only {', '.join(sorted(known))} are supported.")
    weight = message.get("weight", 1)
    if isinstance(weight, bool) or weight not in [0, 1]:
        raise InvalidRequest(f"{where}.weight: expected 0 or 1.")


def _check_turns(roles: Sequence[str], start: int) -> None:
    for index, role in enumerate(roles):
        expected = Role.ASSISTANT if index % 2 else Role.USER
        if role != expected:
            raise InvalidRequest(f"messages[{start + index}].role: expected {expected}.")
    if not roles or len(roles) % 2:
        raise InvalidRequest("messages: the last one must be a reply.")
    if len(roles) > 2 * MAX_TURNS:
        raise InvalidRequest(f"messages: at most {MAX_TURNS:,} turns are supported.")
