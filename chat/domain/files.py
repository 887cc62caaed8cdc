"""Files of a session, and the parts of messages that refer to them."""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

from chat.domain.errors import ForbiddenURL
from chat.domain.urls import MAX_URL_CHARS, may_be_public, plain_host

# Tokens of an image in estimates, and the least of a PDF.
IMAGE_TOKENS = 1_000
# Of a PDF in estimates: scanned pages have more bytes per token, pages of text have fewer.
PDF_BYTES_PER_TOKEN = 200
BYTES_PER_TOKEN = 4
# Parts of a message.
MAX_PARTS = 20
# How closely a model looks at an image.
DETAILS = ("auto", "low", "high")
# URLs of images that are passed on to the model.
IMAGE_URL = r"^https://[!-~]+$"
MAX_IMAGE_URL_CHARS = MAX_URL_CHARS


class PartType(StrEnum):
    """What a part of a message is."""

    TEXT = "text"
    IMAGE = "image"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a session."""

    id: str
    # Detected from its content.
    media_type: str
    bytes: int
    # SHA-256 of the content, hexadecimal.
    sha256: str
    filename: str

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")


class Part(NamedTuple):
    """A part of a user message. A named tuple, because it is part of `PromptMessage`."""

    type: PartType
    text: str = ""
    file_id: str = ""
    filename: str = ""
    media_type: str = ""
    # See `DETAILS`.
    detail: str = "auto"
    # Of an image that is not a file of the session; or the content as a data URL.
    url: str = ""
    # Bytes of the file.
    size: int = 0

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        known = {name: value for name, value in members.items() if name in cls._fields}
        return cls(**{**known, "type": PartType(members["type"])})

    def with_file(self, file: StoredFile) -> Self:
        """Return the part with what is known about its file."""
        return self._replace(
            file_id=file.id, filename=file.filename, media_type=file.media_type, size=file.bytes
        )

    def to_json(self) -> dict[str, Any]:
        """Return the members that the type has; clients see them."""
        if self.type is PartType.TEXT:
            return {"type": self.type.value, "text": self.text}
        detail = {"detail": self.detail} if self.type is PartType.IMAGE else {}
        if self.url:
            return {"type": self.type.value, "url": self.url, **detail}
        return {
            "type": self.type.value,
            "file_id": self.file_id,
            "filename": self.filename,
            "media_type": self.media_type,
            "size": self.size,
            **detail,
        }

    @property
    def placeholder(self) -> str:
        """The text that stands for the part if the model does not get it."""
        name = self.filename or self.url
        return self.text if self.type is PartType.TEXT else f"[{self.type}: {name}]"

    @property
    def tokens(self) -> int:
        """Estimated tokens, except those of a text."""
        if self.type is PartType.TEXT:
            return 0
        if self.media_type.startswith("text/"):
            return -(-self.size // BYTES_PER_TOKEN)
        is_image = self.type is PartType.IMAGE or self.media_type.startswith("image/")
        return IMAGE_TOKENS if is_image else max(IMAGE_TOKENS, self.size // PDF_BYTES_PER_TOKEN)


class InputPart(NamedTuple):
    """A part as a client has sent it."""

    part: Part
    # Of a file that is not stored yet.
    content: bytes | None = None


def is_image_url(url: str) -> bool:
    """Return whether this is an https: URL, which a model's server may fetch.

    Raises:
        ForbiddenURL: its host is not public, as far as the URL itself shows.
    """
    if len(url) > MAX_IMAGE_URL_CHARS or not re.fullmatch(IMAGE_URL, url):
        return False
    host = plain_host(url, ("https",))
    if host is None or not may_be_public(host):
        raise ForbiddenURL("The URL of an image must name a public host.")
    return True


def to_data_url(media_type: str, content: bytes, name: str = "") -> str:
    """Return a data URL; name: of the file, if the URL shall contain it (RFC 2397, a parameter)."""
    parameter = f";name={quote(name, safe='')}" if name else ""
    return f"data:{media_type}{parameter};base64,{b64encode(content).decode()}"


def name_in_data_url(url: str) -> str:
    """Return the name of the file that a data URL contains; "" if it has none."""
    match = re.match(r"data:[^,]*?;name=([^;,]*)", url)
    return unquote(match[1]) if match else ""


def parse_data_url(url: str) -> bytes | None:
    """Return the content of a data URL in Base64; `None` if it is no such URL."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        return None
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
