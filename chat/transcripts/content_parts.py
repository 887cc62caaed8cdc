"""Parts of messages in transcripts: those of OpenAI's chat completions.

| part | in a line |
|---|---|
| text | `{"type": "text", "text": ...}` |
| image | `{"type": "image_url", "image_url": {"url": ..., "detail": ...}}`: data or `https:`; \
the data URL contains the name of the image |
| file | `{"type": "file", "file": {"filename": ..., "file_data": ...}}`: a data URL |
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chat.conversation import files
from chat.domain.errors import BodyTooLarge, ForbiddenURL, InvalidRequest, UnsupportedContent
from chat.domain.files import (
    DETAILS,
    MAX_IMAGE_URL_CHARS,
    MAX_PARTS,
    InputPart,
    Part,
    PartType,
    StoredFile,
    is_image_url,
    name_in_data_url,
    parse_data_url,
    to_data_url,
)
from chat.store.files import description

TEXT_TYPES = ("text", "input_text", "output_text")


def dump_parts(parts: Sequence[InputPart]) -> list[dict[str, Any]]:
    return [_dump(each.part, each.content) for each in parts]


def _dump(part: Part, content: bytes | None) -> dict[str, Any]:
    if part.type is PartType.TEXT:
        return {"type": "text", "text": part.text}
    url = part.url if content is None else to_data_url(part.media_type, content, _image_name(part))
    if part.type is PartType.FILE:
        return {"type": "file", "file": {"filename": part.filename, "file_data": url}}
    detail = {} if part.detail == "auto" else {"detail": part.detail}
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def _image_name(part: Part) -> str:
    """Return the name of an image; "" if its sender has not named it."""
    is_named = part.filename != files.default_name(part.media_type)
    return part.filename if part.type is PartType.IMAGE and is_named else ""


def parse_content(where: str, content: object) -> tuple[str, tuple[InputPart, ...]]:
    """Return the text of a message's content and, if it has more than text, its parts.

    Raises:
        InvalidRequest
    """
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list):
        raise InvalidRequest(f"{where}: expected text that is not blank.")
    parts = tuple(_parse(f"{where}[{i}]", part) for i, part in enumerate(content))
    texts = [each.part.text for each in parts if each.part.type is PartType.TEXT]
    if len(texts) == len(parts):
        return "".join(texts), ()
    if len(parts) > MAX_PARTS:
        raise InvalidRequest(f"{where}: at most {MAX_PARTS} parts are supported.")
    return "\n".join(texts), parts


def file_bytes(parts: Sequence[InputPart]) -> int:
    """Return the bytes that a session stores for files, each once."""
    new = [_describe("", each) for each in parts if each.content is not None]
    return sum(
        len(description(file)) + file.bytes for file in {each.id: each for each in new}.values()
    )


def _parse(where: str, part: object) -> InputPart:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise InvalidRequest(f"{where}: expected an object with a type.")
    if kind in TEXT_TYPES:
        if not isinstance(text := part.get("text"), str):
            raise InvalidRequest(f"{where}.text: expected text.")
        return InputPart(Part(PartType.TEXT, text))
    if kind == "image_url":
        return _parse_image(f"{where}.image_url", part.get("image_url"))
    if kind == "file":
        return _parse_file(f"{where}.file", part.get("file"))
    raise InvalidRequest(f"{where}: only parts of type text, image_url and file are supported.")


def _parse_image(where: str, members: object) -> InputPart:
    image = _object(where, members)
    url, detail = image.get("url"), image.get("detail") or "auto"
    if detail not in DETAILS:
        raise InvalidRequest(f"{where}.detail: expected auto, low or high.")
    part = Part(PartType.IMAGE, detail=str(detail))
    if isinstance(url, str) and url.startswith("https://"):
        _check_image_url(f"{where}.url", url)
        return InputPart(part._replace(url=url))
    content = _content(f"{where}.url", url)
    given = InputPart(part._replace(filename=name_in_data_url(str(url))), content)
    if not _describe(where, given).is_image:
        raise InvalidRequest(f"{where}.url: expected an image.")
    return given


def _check_image_url(where: str, url: str) -> None:
    try:
        is_valid = is_image_url(url)
    except ForbiddenURL as error:
        raise InvalidRequest(f"{where}: {error.message}") from error
    if not is_valid:
        limit = MAX_IMAGE_URL_CHARS
        raise InvalidRequest(f"{where}: expected a URL of at most {limit} characters.")


def _parse_file(where: str, members: object) -> InputPart:
    file = _object(where, members)
    if not isinstance(name := file.get("filename") or "", str):
        raise InvalidRequest(f"{where}.filename: expected text.")
    content = _content(f"{where}.file_data", file.get("file_data"))
    given = InputPart(Part(PartType.FILE, filename=name), content)
    _describe(where, given)
    return given


def _object(where: str, members: object) -> Mapping[str, object]:
    if not isinstance(members, dict):
        raise InvalidRequest(f"{where}: expected an object.")
    return members


def _content(where: str, url: object) -> bytes:
    content = parse_data_url(url) if isinstance(url, str) else None
    if content is None:
        raise InvalidRequest(f"{where}: expected a data URL in Base64.")
    return content


def _describe(where: str, given: InputPart) -> StoredFile:
    try:
        return files.describe(given.content or b"", given.part.filename)
    except (UnsupportedContent, BodyTooLarge) as error:
        raise InvalidRequest(f"{where}: {error.message}") from error
