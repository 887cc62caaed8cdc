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
| `file` | an image or a file: a data URL, the path of a file of the session, or a URL |
| any other | 400 `unsupported_content` |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ValidationError

from chat.api.exception_handler import to_parley_error
from chat.api.serializers import RegenerateBody
from chat.api.strict_serializer import validate
from chat.conversation.files import MAX_FILENAME_CHARS
from chat.domain import Options
from chat.domain.errors import InvalidRequest, UnsupportedContent
from chat.domain.files import InputPart, Part, PartType, is_image_url, parse_data_url
from chat.protocols.fields import Fields, check_parts, check_user_text

MAX_ID_CHARS = 255
SUBMIT = "submit-message"
REGENERATE = "regenerate-message"
FILE_PATH = re.compile(r"\S*/sessions/\w+/files/(file_[0-9a-f]{24})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A user message, or the wish for another reply."""

    chat_id: str
    # Of the last message, as the client has it.
    message_id: str
    text: str
    # All of it, if it has more than text.
    parts: Sequence[InputPart]
    is_regeneration: bool
    # The idempotency key of a regeneration; "" for none.
    key: str
    # Id of the message to edit or to regenerate; "" for none.
    target: str
    model: str | None
    options: Options | None


def parse_chat_request(body: Mapping[str, Any], *, key: str = "") -> ChatRequest:
    """Return the request of a JSON object; key: the client's idempotency key.

    Raises:
        InvalidRequest, UnsupportedParameter, UnsupportedContent
    """
    fields = Fields(body)
    message = _last_message(fields)
    if message.choice("role", "user", "system", "assistant") != "user":
        raise message.invalid("role", "must be user: the last message is the one to answer")
    text, parts = _read_parts(message)
    request = ChatRequest(
        chat_id=_read_id(fields, "id"),
        message_id=_read_id(message, "id"),
        text=text,
        parts=parts,
        is_regeneration=fields.choice("trigger", SUBMIT, REGENERATE) == REGENERATE,
        key=key,
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
    return fields.last_object("messages")


def _read_id(fields: Fields, name: str) -> str:
    found = fields.text(name, max_chars=MAX_ID_CHARS)
    if not found:
        raise fields.invalid(name, "is required")
    return found


def _read_parts(message: Fields) -> tuple[str, Sequence[InputPart]]:
    """Return the text of a message and, if it has more than text, its parts."""
    parts = [_read_part(part) for part in message.objects("parts")]
    texts = [each.part.text for each in parts if each.part.type is PartType.TEXT]
    text = "\n".join(texts)
    kept = check_parts(message, "parts", parts)
    if not kept:
        check_user_text(text, message.path("parts"))
    return text, kept


def _read_part(part: Fields) -> InputPart:
    kind = part.take("type")
    if kind not in ("text", "file"):
        path = part.path("type")
        raise UnsupportedContent(f"`{path}`: {kind!r} is not supported.", param=path)
    found = _read_text(part) if kind == "text" else _read_file(part)
    part.ignore("state", "providerMetadata", "providerReference")
    part.reject_others()
    return found


def _read_text(part: Fields) -> InputPart:
    text = part.text("text")
    if text is None:
        raise part.invalid("text", "is required")
    return InputPart(Part(PartType.TEXT, text))


def _read_file(part: Fields) -> InputPart:
    media_type, url = part.text("mediaType", max_chars=MAX_ID_CHARS) or "", part.text("url") or ""
    name = part.text("filename", max_chars=MAX_FILENAME_CHARS) or ""
    kind = PartType.IMAGE if media_type.startswith("image/") else PartType.FILE
    file = Part(kind, filename=name)
    if (content := parse_data_url(url)) is not None:
        return InputPart(file, content)
    if path := FILE_PATH.fullmatch(url):
        return InputPart(file._replace(file_id=path[1]))
    if kind is PartType.IMAGE and is_image_url(url):
        return InputPart(file._replace(url=url))
    raise part.invalid("url", "must be a data URL in Base64, or the path of a file of the session")


def _read_options(fields: Fields) -> Options | None:
    try:
        read = validate(RegenerateBody, {"options": fields.take("options")})
    except ValidationError as error:
        raise to_parley_error(error) or InvalidRequest(param="options") from error
    options: Options | None = read.get("options")
    return options
