"""Parse a vendor's JSON strictly, and look values up leniently."""

from typing import Any

import orjson

from chat.domain.errors import ModelInvalidResponse

# More tokens than any call takes. Redis sums the counts, and its integers have 64 bits.
MAX_TOKENS = 1_000_000_000


def parse(data: bytes) -> object:
    """Return the JSON document in `data`.

    orjson also rejects what would fail later: invalid UTF-8, lone surrogates, NaN, and nesting so
    deep that it exhausts the stack.

    Raises:
        ModelInvalidResponse: it is not valid JSON.
    """
    try:
        document: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ModelInvalidResponse from _without_document(error)
    return document


def _without_document(error: orjson.JSONDecodeError) -> ValueError:
    """Return the error without the document, because a cause may be logged."""
    return ValueError(f"{error.msg} at {error.pos}")


def get_path(value: Any, *path: str | int) -> object:
    """Return the value at `path`, or `None` if any part of the path is missing."""
    try:
        for step in path:
            value = value[step]
    except (KeyError, IndexError, TypeError):
        return None
    found: object = value
    return found


def get_text(value: object, *path: str | int) -> str:
    """Return the string at `path`, or "" if it is missing.

    Raises:
        ModelInvalidResponse: the value is not a string.
    """
    found = get_path(value, *path)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ModelInvalidResponse
    return found


def get_token_count(value: object, *path: str | int) -> int | None:
    """Return the number of tokens at `path`, or `None` if it is missing or implausible."""
    found = get_path(value, *path)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if 0 <= found <= MAX_TOKENS else None
