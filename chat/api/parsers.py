"""The parser of request bodies."""

from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any

from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from chat.api.strict_json import read_object
from chat.domain.errors import BodyTooLarge, RequestTimeout, UnsupportedMediaType
from chat.http import content_encoding
from chat.settings import chat_settings

# A member of the environment: why the server has not read the body, or not all of it.
BODY_ERROR = "parley.body_error"
# A member of the environment: the body, a stream, if an async view is called.
BODY = "parley.body"
# UTF-8 and its subset. Some clients quote the name.
CHARSETS = {"", "utf-8", "utf8", "us-ascii", "ascii"}


class StrictJSONParser(BaseParser):
    """Parses an uncompressed JSON object in UTF-8 of at most `MAX_BODY_BYTES`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the object.

        Raises:
            UnsupportedMediaType, BodyTooLarge, RequestTimeout, InvalidRequest
        """
        context = parser_context or {}
        return read_object(read_body(stream, context["request"].META))


def read_body(stream: IO[bytes], meta: Mapping[str, Any]) -> bytes:
    """Return the request body. A body that is too large is rejected before it is read.

    Raises:
        UnsupportedMediaType: it is not JSON in UTF-8, or it is compressed.
        BodyTooLarge: its Content-Length exceeds `MAX_BODY_BYTES`.
        RequestTimeout: it is shorter than its Content-Length.
        ParleyError: why the server has not read it, such as an invalid token.
    """
    if not _is_json(meta.get("CONTENT_TYPE", "")):
        raise UnsupportedMediaType
    return _read(stream, meta, chat_settings.MAX_BODY_BYTES)


def read_file(stream: IO[bytes], meta: Mapping[str, Any]) -> bytes:
    """Return the request body, a file of any type.

    Raises:
        as `read_body`; the maximum is `MAX_FILE_BYTES`.
    """
    return _read(stream, meta, chat_settings.MAX_FILE_BYTES)


def _read(stream: IO[bytes], meta: Mapping[str, Any], max_bytes: int) -> bytes:
    if meta.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in content_encoding.PLAIN:
        raise UnsupportedMediaType
    if error := meta.get(BODY_ERROR):
        raise error
    length = int(meta.get("CONTENT_LENGTH") or 0)
    if length > max_bytes:
        raise BodyTooLarge(f"The request body must have at most {max_bytes} bytes.")
    body = stream.read(max(length, 0))
    if len(body) < length:
        raise RequestTimeout
    return body


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    """Return whether it is application/json in UTF-8, which is the default."""
    media_type, parameters = parse_header_parameters(content_type)
    charset = parameters.get("charset", "").strip("'").lower()
    return media_type == "application/json" and charset in CHARSETS
