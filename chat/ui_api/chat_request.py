"""Requests of `DefaultChatTransport`.

| field | effect |
|---|---|
| `id` | the chat: the id of a session, or any other id of an API key or JWT |
| `messages` or `message` | only the last message is read; its `id` is the idempotency key |
| `trigger` `submit-message` | a new user message; with `messageId`, an edited one |
| `trigger` `regenerate-message` | another reply to the last user message |
| `model` | the session's model from now on |
| `options` | those of `POST /messages` |
| all others | 400 `unsupported_parameter` |

| part of a user message | becomes |
|---|---|
| `text` | its text; several are joined by a line end |
| any other | 400 `unsupported_content` |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ValidationError

from chat.api.exception_handler import to_parley_error
from chat.api.serializers import RegenerateBody, validate
from chat.domain import Options
from chat.domain.errors import InvalidRequest, UnsupportedContent
from chat.protocols.fields import Fields, check_user_text

MAX_ID_CHARS = 255
SUBMIT = "submit-message"
REGENERATE = "regenerate-message"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A user message, or the wish for another reply."""

    chat_id: str
    # Of the last message, as the client has it.
    message_id: str
    text: str
    is_regeneration: bool
    # Id of the message to edit or to regenerate; "" for none.
    target: str
    model: str | None
    options: Options | None


def parse_chat_request(body: Mapping[str, Any]) -> ChatRequest:
    """Return the request of a JSON object.

    Raises:
        InvalidRequest, UnsupportedParameter, UnsupportedContent
    """
    fields = Fields(body)
    message = _last_message(fields)
    if message.choice("role", "user", "system", "assistant") != "user":
        raise message.invalid("role", "must be user: the last message is the one to answer")
    request = ChatRequest(
        chat_id=_read_id(fields, "id"),
        message_id=_read_id(message, "id"),
        text=_read_text(message),
        is_regeneration=fields.choice("trigger", SUBMIT, REGENERATE) == REGENERATE,
        target=fields.text("messageId", max_chars=MAX_ID_CHARS) or "",
        model=fields.text("model", max_chars=100),
        options=_read_options(fields),
    )
    message.ignore("metadata")
    message.reject_others()
    fields.reject_others()
    return request


def _last_message(fields: Fields) -> Fields:
    if "message" in fields and "messages" in fields:
        raise fields.invalid("message", "excludes `messages`")
    if message := fields.inner("message"):
        return message
    messages = list(fields.objects("messages"))
    if not messages:
        raise fields.invalid("messages", "must contain a message")
    return messages[-1]


def _read_id(fields: Fields, name: str) -> str:
    found = fields.text(name, max_chars=MAX_ID_CHARS)
    if not found:
        raise fields.invalid(name, "is required")
    return found


def _read_text(message: Fields) -> str:
    texts = [_read_part(part) for part in message.objects("parts")]
    text = "\n".join(texts)
    check_user_text(text, message.path("parts"))
    return text


def _read_part(part: Fields) -> str:
    kind = part.take("type")
    if kind != "text":
        path = part.path("type")
        raise UnsupportedContent(f"`{path}`: only text is supported, not {kind!r}.", param=path)
    text = part.text("text")
    if text is None:
        raise part.invalid("text", "is required")
    part.ignore("state", "providerMetadata")
    part.reject_others()
    return text


def _read_options(fields: Fields) -> Options | None:
    try:
        read = validate(RegenerateBody, {"options": fields.take("options")})
    except ValidationError as error:
        raise to_parley_error(error) or InvalidRequest(param="options") from error
    options: Options | None = read.get("options")
    return options
