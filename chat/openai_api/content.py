"""Content of messages: texts and parts.

| part | becomes |
|---|---|
| a string | the text |
| `text`, `input_text`, `output_text`, `refusal` | its text; several are joined by a line end |
| `image_url`, `input_image` | an image: a data URL, the id of a file of the session, or a URL |
| `file`, `input_file` | a file: a data URL or an id |
| any other | 400 `unsupported_content` |
"""

from collections.abc import Iterable, Sequence

from chat.conversation import files
from chat.conversation.files import MAX_FILENAME_CHARS
from chat.domain import InputMessage, Role
from chat.domain.errors import InvalidRequest, UnsupportedContent
from chat.domain.files import DETAILS, InputPart, Part, PartType, is_image_url, parse_data_url
from chat.protocols.fields import Fields, check_parts
from chat.settings import chat_settings

# Type of a part -> its member with the text.
TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
# Of all messages with images or files.
MAX_REQUEST_PARTS = 200
# `developer` is OpenAI's newer name of `system`.
ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}


def read_message(fields: Fields) -> InputMessage:
    """Return the message of `role` and `content`; other members are left for the caller.

    Raises:
        UnsupportedContent: a part is no text.
        InvalidRequest
    """
    role = fields.choice("role", *ROLES)
    if role is None:
        raise fields.invalid("role", "is required")
    parts = _read_parts(fields)
    texts = [each.part.text for each in parts if each.part.type is PartType.TEXT]
    text = "\n".join(texts)
    if len(text.encode()) > chat_settings.MAX_CONTENT_BYTES:
        raise fields.invalid(
            "content", f"must have at most {chat_settings.MAX_CONTENT_BYTES} bytes"
        )
    kept = check_parts(fields, "content", parts)
    if kept and ROLES[role] is not Role.USER:
        raise UnsupportedContent("Only user messages have images and files.", param="content")
    return InputMessage(ROLES[role], text, tuple(kept))


def _read_parts(fields: Fields) -> list[InputPart]:
    if fields.is_list("content"):
        return [_read_part(part) for part in fields.objects("content")]
    return [InputPart(Part(PartType.TEXT, fields.text("content") or ""))]


def _read_part(part: Fields) -> InputPart:
    kind = part.take("type")
    read = READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        path = part.path("type")
        raise UnsupportedContent(f"`{path}`: {kind!r} is not supported.", param=path)
    found = read(part, str(kind))
    part.ignore("annotations", "logprobs", "prompt_cache_breakpoint")
    part.reject_others()
    return found


def _read_text(part: Fields, kind: str) -> InputPart:
    name = TEXT_PARTS[kind]
    text = part.text(name)
    if text is None:
        raise part.invalid(name, "is required")
    return InputPart(Part(PartType.TEXT, text))


def _read_input_image(part: Fields, _: str) -> InputPart:
    detail = part.choice("detail", *DETAILS) or "auto"
    file_id, url = part.text("file_id"), part.text("image_url")
    return _image(part, "image_url", file_id=file_id, url=url, detail=detail)


def _read_image_url(part: Fields, _: str) -> InputPart:
    inner = part.inner("image_url")
    if inner is None:
        raise part.invalid("image_url", "is required")
    detail = inner.choice("detail", *DETAILS) or "auto"
    url = inner.text("url")
    inner.reject_others()
    return _image(part, "image_url", file_id=None, url=url, detail=detail)


def _image(
    part: Fields, name: str, *, file_id: str | None, url: str | None, detail: str
) -> InputPart:
    if bool(file_id) == bool(url):
        raise part.invalid(name, "or `file_id` is required")
    image = Part(PartType.IMAGE, detail=detail, file_id=file_id or "")
    if url is None or file_id:
        return InputPart(image)
    if is_image_url(url):
        return InputPart(image._replace(url=url))
    return InputPart(image, _decode(part, name, url))


def _read_file(part: Fields, kind: str) -> InputPart:
    inner = part.inner("file") if kind == "file" else part
    if inner is None:
        raise part.invalid("file", "is required")
    file_id, data = inner.text("file_id"), inner.text("file_data")
    name = inner.text("filename", max_chars=MAX_FILENAME_CHARS) or ""
    if inner is not part:
        inner.reject_others()
    if bool(file_id) == bool(data):
        raise inner.invalid("file_data", "or `file_id` is required")
    file = Part(PartType.FILE, file_id=file_id or "", filename=name)
    return InputPart(file, _decode(inner, "file_data", data) if data else None)


def _decode(part: Fields, name: str, url: str) -> bytes:
    """Return the content of a data URL.

    Raises:
        InvalidRequest: it is not valid.
    """
    content = parse_data_url(url)
    if content is None:
        raise part.invalid(name, "must be a data URL in Base64")
    return content


READERS = {
    **dict.fromkeys(TEXT_PARTS, _read_text),
    "input_image": _read_input_image,
    "image_url": _read_image_url,
    "input_file": _read_file,
    "file": _read_file,
}


def check_number_of_parts(messages: Iterable[InputMessage]) -> None:
    """Check the parts of all messages of a request.

    Raises:
        InvalidRequest: there are too many.
    """
    if sum(len(message.parts) for message in messages) > MAX_REQUEST_PARTS:
        raise InvalidRequest(
            f"Messages with images or files must have at most {MAX_REQUEST_PARTS} parts together."
        )


def check_inputs(messages: Sequence[InputMessage], model: str | None) -> None:
    """Check that a model reads the parts of all messages.

    Raises:
        UnknownModel, UnsupportedContent, BodyTooLarge
    """
    for each in (each for message in messages for each in message.parts):
        files.check_input(each.part, model or chat_settings.DEFAULT_MODEL)
        if each.content is not None:
            files.describe(each.content, each.part.filename)
