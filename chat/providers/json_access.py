"""Reading a vendor's JSON: strictly decoded, loosely walked."""

from typing import Any

import orjson

from chat.domain.errors import ModelInvalidResponse

MAX_TOKENS = 1_000_000_000
"""No call takes as many. What a vendor says is summed in Redis, whose integers end at 64 bits."""


def parse(data: bytes) -> object:
    """Return the JSON document in `data`.

    orjson also refuses what would fail later, far from here: bad UTF-8, lone surrogates, NaN and
    nesting deep enough to exhaust the stack.

    Raises:
        ModelInvalidResponse: it is not valid JSON.
    """
    try:
        document: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ModelInvalidResponse from _without_document(error)
    return document


def _without_document(error: orjson.JSONDecodeError) -> ValueError:
    """Return the error without the document that it carries: a cause may be logged."""
    return ValueError(f"{error.msg} at {error.pos}")


def get_path(value: Any, *path: str | int) -> object:
    """Return what is found in `value` along `path`, or `None` where the path breaks off."""
    try:
        for step in path:
            value = value[step]
    except (KeyError, IndexError, TypeError):
        return None
    found: object = value
    return found


def get_text(value: object, *path: str | int) -> str:
    """Return the text along `path`; empty where there is none.

    Raises:
        ModelInvalidResponse: something else than text is there.
    """
    found = get_path(value, *path)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ModelInvalidResponse
    return found


def get_token_count(value: object, *path: str | int) -> int | None:
    """Return the number of tokens along `path`, or `None` where there is none that can be."""
    found = get_path(value, *path)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if 0 <= found <= MAX_TOKENS else None
