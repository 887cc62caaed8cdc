"""A call for a reply, independent of its wire format, and the parsers of its JSON fields."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from fakemodel.errors import bad_request


class Message(NamedTuple):
    """One message of the conversation that the model receives."""

    # `system`, `user` or `assistant`; the chat format allows others.
    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request for a reply."""

    # `chat`, `completions` or `huggingface`.
    format: str
    model: str
    # Parsed from `prompt` in the formats that have one.
    messages: tuple[Message, ...]
    # The plain-text prompt; None in the chat format.
    prompt: str | None = None
    stream: bool = False
    # Maximum length of the reply; None means unlimited.
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    # Whether a stream ends with a usage event.
    include_usage: bool = True
    # Whether the reply starts with the prompt (Hugging Face's `return_full_text`).
    return_full_text: bool = False
    # Whether to wait for a loading model instead of a 503.
    wait_for_model: bool = False
    # Whether the JSON response of TGI has details such as the finish reason.
    details: bool = False
    # Whether the JSON response of Hugging Face is a list of one object.
    as_list: bool = False

    @property
    def last_user_message(self) -> str:
        """The content of the last user message, or an empty string."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return ""


# All parsers below raise APIError (400) if the value is invalid.


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise bad_request("The body must be a JSON object.")
    return fields


def text_field(fields: dict[str, Any], name: str) -> str:
    """Return the required string `name`."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise bad_request(f"'{name}' is required and must be a string.", name)
    return value


def count_field(fields: dict[str, Any], *names: str) -> int | None:
    """Return the first of `names` that is set, as a positive integer."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise bad_request(f"'{name}' must be an integer of at least 1.", name)
        return value
    return None


def flag_field(fields: dict[str, Any], name: str, *, default: bool) -> bool:
    """Return the boolean `name`, or `default` if it is missing or null."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_request(f"'{name}' must be true or false.", name)
    return value


def object_field(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object `name`, empty if it is missing or null."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"'{name}' must be an object.", name)
    return value


def stop_field(fields: dict[str, Any], *names: str) -> tuple[str, ...]:
    """Return the stop sequences in the first of `names` that is set."""
    for name in names:
        value = fields.get(name)
        if value is None:
            continue
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise bad_request(f"'{name}' must be a string or a list of strings.", name)
        return tuple(text for text in texts if text)
    return ()
