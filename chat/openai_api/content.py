"""Content of messages: texts and parts.

| part | becomes |
|---|---|
| a string | the text |
| `text`, `input_text`, `output_text`, `refusal` | its text; several are joined by a line end |
| any other | 400 `unsupported_content` |
"""

from typing import NamedTuple

from chat.domain import Role
from chat.domain.errors import UnsupportedContent
from chat.protocols.fields import Fields
from chat.settings import chat_settings

# Type of a part -> its member with the text.
TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
# `developer` is OpenAI's newer name of `system`.
ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}


class InputMessage(NamedTuple):
    """A message as a client has sent it."""

    role: Role
    text: str


def read_message(fields: Fields) -> InputMessage:
    """Return the message of `role` and `content`; other members are left for the caller.

    Raises:
        UnsupportedContent: a part is no text.
        InvalidRequest
    """
    role = fields.choice("role", *ROLES)
    if role is None:
        raise fields.invalid("role", "is required")
    text = _read_text(fields)
    if len(text.encode()) > chat_settings.MAX_CONTENT_BYTES:
        raise fields.invalid(
            "content", f"must have at most {chat_settings.MAX_CONTENT_BYTES} bytes"
        )
    return InputMessage(ROLES[role], text)


def _read_text(fields: Fields) -> str:
    if fields.is_list("content"):
        return "\n".join(_read_part(part) for part in fields.objects("content"))
    return fields.text("content") or ""


def _read_part(part: Fields) -> str:
    kind = part.take("type")
    name = TEXT_PARTS.get(kind) if isinstance(kind, str) else None
    if name is None:
        path = part.path("type")
        raise UnsupportedContent(f"`{path}`: only text is supported, not {kind!r}.", param=path)
    text = part.text(name)
    if text is None:
        raise part.invalid(name, "is required")
    part.ignore("annotations", "logprobs", "prompt_cache_breakpoint")
    part.reject_others()
    return text
