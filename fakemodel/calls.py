"""A call as the formats understand it: what the model was shown and how to answer."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from fakemodel.errors import malformed


class Message(NamedTuple):
    """One entry of the conversation that the model was shown."""

    role: str
    """`system`, `user` or `assistant`, or what else the caller wrote."""
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request for a reply."""

    format: str
    """`chat`, `completions` or `huggingface`."""
    model: str
    messages: tuple[Message, ...]
    """The conversation, parsed back out of the transcript where the format is flat."""
    prompt: str | None = None
    """The flat prompt as it came; None where the format carries messages."""
    stream: bool = False
    max_tokens: int | None = None
    """Most tokens of the reply; None sets no bound."""
    stop: tuple[str, ...] = ()
    """Texts at which the reply ends."""
    include_usage: bool = True
    """Whether a stream ends with a usage event."""
    full_text: bool = False
    """Whether the reply is preceded by the prompt (Hugging Face's `return_full_text`)."""
    wait_for_model: bool = False
    """Whether a loading model is waited for instead of answering 503."""
    details: bool = False
    """Whether a plain TGI answer tells its finish reason."""
    listed: bool = False
    """Whether a plain Hugging Face answer is a list of one."""

    @property
    def asked(self) -> str:
        """The content of the last user message, or an empty string."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return ""


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises Refused (400)."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"The body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise malformed("The body must be a JSON object.")
    return fields


def text_field(fields: dict[str, Any], name: str) -> str:
    """The required text `name`; raises Refused (400)."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise malformed(f"'{name}' is required and must be a string.", name)
    return value


def count_field(fields: dict[str, Any], *names: str) -> int | None:
    """The first of `names` that is there, as a number from 1; raises Refused (400)."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise malformed(f"'{name}' must be an integer of at least 1.", name)
        return value
    return None


def flag_field(fields: dict[str, Any], name: str, *, default: bool) -> bool:
    """The flag `name`, or `default` where it is missing or null; raises Refused (400)."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise malformed(f"'{name}' must be true or false.", name)
    return value


def object_field(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """The object `name`, empty where it is missing or null; raises Refused (400)."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(f"'{name}' must be an object.", name)
    return value


def stop_field(fields: dict[str, Any], *names: str) -> tuple[str, ...]:
    """The texts to stop at, from the first of `names` that is there; raises Refused (400)."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise malformed(f"'{name}' must be a string or a list of strings.", name)
        return tuple(text for text in texts if text)
    return ()
