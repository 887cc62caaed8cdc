"""The chat fine-tuning format: one JSON object per line, `{"messages": [...]}`.

It is OpenAI's format, and other vendors read it as well. Here a conversation consists of complete
turns: optional system messages, then alternating user and assistant messages, ending with a reply.
The content of a message is a text, or a list of parts; see `content_parts`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import orjson

from chat.domain import InputMessage, Role
from chat.domain.errors import InvalidRequest
from chat.domain.files import InputPart
from chat.settings import chat_settings
from chat.transcripts.content_parts import dump_parts, file_bytes, parse_content

# Maximum turns per line. A session is written by one script, which blocks Redis: measured,
# 0.3 s for 10,000 turns; 400,000 turns in 18 MB took over five seconds and made Redis BUSY.
MAX_TURNS = 10_000
# A reply that has one of these is not only text.
CALLS = ("tool_calls", "function_call")
# JSON allows these in strings, but `str.splitlines` and JavaScript before 2019 end a line there.
LINE_ENDS = {"\u2028": rb"\u2028", "\u2029": rb"\u2029", "\x85": rb"\u0085"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A completed turn. train: learn from the reply, or use it as context only."""

    prompt: str
    reply: str
    # All of the prompt, if it has more than text.
    parts: tuple[InputPart, ...] = ()
    train: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The contents of one line."""

    system_prompt: str | None
    pairs: Sequence[Pair]


def dump(transcript: Transcript) -> bytes:
    """Return the transcript as a line. Replies that are context only have weight 0."""
    return escape_line_ends(orjson.dumps({"messages": [*_messages(transcript)]})) + b"\n"


def escape_line_ends(line: bytes) -> bytes:
    """Return the JSON without characters at which some programs split lines."""
    for character, escaped in LINE_ENDS.items():
        line = line.replace(character.encode(), escaped)
    return line


def _messages(transcript: Transcript) -> Iterator[dict[str, Any]]:
    if transcript.system_prompt and transcript.system_prompt.strip():
        yield {"role": Role.SYSTEM, "content": transcript.system_prompt}
    for pair in transcript.pairs:
        yield {"role": Role.USER, "content": dump_parts(pair.parts) or pair.prompt}
        reply = {"role": Role.ASSISTANT, "content": pair.reply}
        yield reply if pair.train else {**reply, "weight": 0}


def parse(line: bytes) -> Transcript:
    """Return the transcript in a line.

    Fields that do not change the text, such as `metadata` and `name`, are ignored.

    Raises:
        InvalidRequest: the line has another format or exceeds a limit. The message says what is
            wrong and where, without quoting the line.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("Not valid JSON in UTF-8.") from error
    if not isinstance(document, dict) or not isinstance(document.get("messages"), list):
        raise InvalidRequest("Expected an object with a list of messages.")
    messages = [
        _message(f"messages[{i}]", each)
        for i, each in enumerate(document["messages"])
        if not _is_blank_prompt(each)
    ]
    prompts = list(takewhile(lambda message: message.role is Role.SYSTEM, messages))
    turns = messages[len(prompts) :]
    _check_turns([message.role for message in turns], len(prompts))
    _check_size(messages)
    return Transcript(
        system_prompt="\n\n".join(message.text for message in prompts) or None,
        pairs=[
            Pair(prompt=prompt.text, reply=reply.text, parts=prompt.parts)
            for prompt, reply in zip(turns[::2], turns[1::2], strict=True)
        ],
    )


def _check_size(messages: Sequence[InputMessage]) -> None:
    texts = sum(len(message.text.encode()) for message in messages)
    files = file_bytes([part for message in messages for part in message.parts])
    if files > (maximum := chat_settings.MAX_SESSION_FILE_BYTES):
        raise InvalidRequest(f"The files of a session have at most {maximum} bytes.")
    if texts + files > (maximum := chat_settings.MAX_SESSION_BYTES):
        raise InvalidRequest(f"A session holds at most {maximum} bytes.")


def _is_blank_prompt(message: object) -> bool:
    """Return whether it is a system message without text, which stands for no system prompt."""
    return (
        isinstance(message, dict)
        and message.get("role") in ("system", "developer")
        and isinstance(content := message.get("content") or "", str)
        and not content.strip()
    )


def _message(where: str, message: object) -> InputMessage:
    if not isinstance(message, dict):
        raise InvalidRequest(f"{where}: expected an object.")
    role = _role(where, message.get("role"))
    _check_fields(where, message)
    text, parts = parse_content(f"{where}.content", _content(message))
    if parts and role is not Role.USER:
        raise InvalidRequest(f"{where}.content: only user messages have images and files.")
    if not (text.strip() or parts):
        raise InvalidRequest(f"{where}.content: expected text that is not blank.")
    if "\x00" in text and role is not Role.ASSISTANT:  # models can write NUL
        raise InvalidRequest(f"{where}.content: NUL is not allowed.")
    if len(text.encode()) > (maximum := _max_bytes(role)):
        raise InvalidRequest(f"{where}.content: must have at most {maximum} bytes of UTF-8.")
    return InputMessage(role, text, parts)


def _role(where: str, name: object) -> Role:
    """Return the role. `developer` is OpenAI's newer name of `system`."""
    known = {**{role.value: role for role in Role}, "developer": Role.SYSTEM}
    if not isinstance(name, str) or name not in known:
        raise InvalidRequest(f"{where}.role: expected system, developer, user or assistant.")
    return known[name]


def _content(message: Mapping[str, object]) -> object:
    """Return the content; of a reply that refuses, the refusal."""
    return message.get("content") or message.get("refusal")


def _max_bytes(role: Role) -> int:
    limits = {
        Role.SYSTEM: chat_settings.MAX_SYSTEM_PROMPT_BYTES,
        Role.USER: chat_settings.MAX_CONTENT_BYTES,
        Role.ASSISTANT: chat_settings.MAX_REPLY_BYTES,
    }
    return limits[role]


def _check_fields(where: str, message: Mapping[str, object]) -> None:
    for field in CALLS:
        if message.get(field):
            raise InvalidRequest(f"{where}.{field}: calls of tools are not supported.")
    weight = message.get("weight")
    if isinstance(weight, bool) or weight not in [None, 0, 1]:
        raise InvalidRequest(f"{where}.weight: expected 0 or 1.")


def _check_turns(roles: Sequence[Role], start: int) -> None:
    for index, role in enumerate(roles):
        expected = Role.ASSISTANT if index % 2 else Role.USER
        if role is not expected:
            raise InvalidRequest(f"messages[{start + index}].role: expected {expected}.")
    if not roles or len(roles) % 2:
        raise InvalidRequest("messages: the last one must be a reply.")
    if len(roles) > 2 * MAX_TURNS:
        raise InvalidRequest(f"messages: at most {MAX_TURNS:,} turns are supported.")
