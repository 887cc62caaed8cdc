"""Files of a session: store them, read them, and refer to them in messages."""

import hashlib
from collections.abc import Sequence
from itertools import islice

from chat.conversation import llms
from chat.domain import Caller, InputMessage, PromptMessage
from chat.domain.errors import BodyTooLarge, FileNotFound, InvalidRequest, UnsupportedContent
from chat.domain.files import InputPart, Part, PartType, StoredFile
from chat.settings import chat_settings
from chat.store import files, sessions
from chat.store.calls import Steps, store_call

MAX_FILENAME_CHARS = 200
# The first bytes of a file -> its media type.
MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}
WEBP, TEXT = "image/webp", "text/plain"
MEDIA_TYPES = (*dict.fromkeys(MAGIC.values()), WEBP, TEXT)
DEFAULT_NAMES = {TEXT: "file.txt", "application/pdf": "file.pdf"}


def store(caller: Caller, content: bytes, filename: str = "") -> StoredFile:
    """Store a file. The same content with the same name is stored once.

    Raises:
        UnsupportedContent: it is no image, PDF or text.
        BodyTooLarge: it exceeds `CHAT_MAX_FILE_BYTES`.
        SessionFilesFull, SessionFull, RateLimited, AddressQuotaExceeded: nothing was stored.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    file = describe(content, filename)
    files.put(caller, file, content)
    return file


def describe(content: bytes, filename: str = "") -> StoredFile:
    """Return the file that a content would be.

    Raises:
        UnsupportedContent, BodyTooLarge
    """
    if len(content) > chat_settings.MAX_FILE_BYTES:
        raise BodyTooLarge(f"A file must have at most {chat_settings.MAX_FILE_BYTES} bytes.")
    media_type = detect_type(content)
    name = _clean_name(filename) or default_name(media_type)
    digest = hashlib.sha256(content)
    own = hashlib.sha256(digest.digest() + name.encode())
    return StoredFile(
        id=f"file_{own.hexdigest()[:24]}",
        media_type=media_type,
        bytes=len(content),
        sha256=digest.hexdigest(),
        filename=name,
    )


def default_name(media_type: str) -> str:
    """Return the name of a file that its sender has not named."""
    return DEFAULT_NAMES.get(media_type, media_type.replace("/", "."))


@store_call
def store_parts(caller: Caller, parts: Sequence[InputPart]) -> Steps[list[Part]]:
    """Store the files of a message's parts; return the parts that refer to them.

    Raises:
        UnsupportedContent: the session's model does not read them; nothing was stored.
        and as `store`
    """
    if any(given.content is not None for given in parts):
        rules = yield from sessions.rules.steps(caller)
        _check_inputs([given.part for given in parts], rules.model)
    stored: set[str] = set()
    found = []
    for given in parts:
        part = given.part
        if given.content is not None:
            file = describe(given.content, part.filename)
            if file.id not in stored:
                yield from files.put.steps(caller, file, given.content)
                stored.add(file.id)
            part = part.with_file(file)
        found.append(part)
    return found


@store_call
def store_messages(caller: Caller, messages: Sequence[InputMessage]) -> Steps[list[PromptMessage]]:
    """Store the files of messages; return the messages, whose parts refer to them.

    Raises:
        InvalidRequest: a file does not exist in the session, or is no image.
        and as `store_parts`
    """
    given = [part for message in messages for part in message.parts]
    stored = yield from store_parts.steps(caller, given)
    checked = iter((yield from check_parts.steps(caller, stored)))
    return [
        PromptMessage(each.role, each.text, tuple(islice(checked, len(each.parts))))
        for each in messages
    ]


def read(caller: Caller, file_id: str) -> tuple[StoredFile, bytes]:
    """Return a file and its content.

    Raises:
        FileNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    (found,) = files.read(caller, [file_id])
    if found is None:
        raise FileNotFound
    return found


def detect_type(content: bytes) -> str:
    """Return the media type of a content, whatever the client calls it.

    Raises:
        UnsupportedContent: it is no image, PDF or text.
    """
    for magic, media_type in MAGIC.items():
        if content.startswith(magic):
            return media_type
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return WEBP
    if content and _is_text(content):
        return TEXT
    raise UnsupportedContent("The file must be a PNG, JPEG, GIF, WebP, PDF or UTF-8 text.")


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _clean_name(filename: str) -> str:
    """Return the last part of a path, without control characters."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, name)).strip()[:MAX_FILENAME_CHARS]


@store_call
def check_parts(caller: Caller, parts: Sequence[Part]) -> Steps[list[Part]]:
    """Return the parts of a message with what is known about their files.

    Raises:
        UnsupportedContent: the session's model does not read them.
        InvalidRequest: a file does not exist in the session, or is no image.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    if not parts:
        return []
    rules = yield from sessions.rules.steps(caller)
    _check_inputs(parts, rules.model)
    ids = [part.file_id for part in parts if part.file_id]
    described = (yield from files.describe.steps(caller, ids)) if ids else []
    found = dict(zip(ids, described, strict=True))
    return [with_file(part, found[part.file_id]) if part.file_id else part for part in parts]


def _check_inputs(parts: Sequence[Part], model_name: str) -> None:
    """Check that a session's model reads the parts, unless it exists no more."""
    if model_name in llms.all_models():
        for part in parts:
            check_input(part, model_name)


def check_input(part: Part, model_name: str) -> None:
    """Check that a model reads a part.

    Raises:
        UnsupportedContent
    """
    model = llms.get(model_name)
    if part.type not in model.inputs:
        readable = " and ".join(model.inputs)
        raise UnsupportedContent(
            f"The model {model.name} reads {readable} only, no {part.type}.", param="parts"
        )
    if part.url.startswith("https:") and not model.image_urls:
        raise UnsupportedContent(
            f"The model {model.name} takes no URLs of images. Send the image itself.",
            param="parts",
        )


def with_file(part: Part, file: StoredFile | None) -> Part:
    """Return a part with what is known about its file.

    Raises:
        InvalidRequest: the session has no such file, or it is no image.
    """
    if file is None:
        raise InvalidRequest(f"The session has no file {part.file_id}.", param="parts")
    if part.type is PartType.IMAGE and not file.is_image:
        raise InvalidRequest(f"The file {file.id} is no image.", param="parts")
    return part.with_file(file)
