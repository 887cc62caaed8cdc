"""JSON parsing that rejects what parsers interpret differently."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from chat.domain.errors import InvalidRequest

# Nesting of objects and arrays at which a body is rejected.
MAX_DEPTH = 50
# Members and elements of a body. Each takes up to 400 bytes of memory, and time in Python.
MAX_VALUES = 50_000
NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
# It may exceed 64 bits; orjson would convert it to a float.
LONG_INTEGER = re.compile(rb"(?<![\d.eE+-])-?\d{20,}(?![\d.eE])")


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises:
        InvalidRequest: the body is not an object, not JSON, or not UTF-8. Or it has a byte order
            mark, a repeated key or `MAX_DEPTH` levels. Or it contains NUL, a lone surrogate, NaN,
            infinity, more than `MAX_VALUES` values, or an integer of 20 digits or more.
    """
    skeleton = _skeleton(body)
    if sum(map(skeleton.count, (b",", b"{", b"["))) > MAX_VALUES:
        raise InvalidRequest(f"The JSON must have at most {MAX_VALUES:,} values.")
    if _is_too_deep(skeleton):
        raise InvalidRequest(f"The JSON must be nested less than {MAX_DEPTH} levels deep.")
    if LONG_INTEGER.search(skeleton):
        raise InvalidRequest("The JSON must not contain integers of 20 digits or more.")
    value = _decode(body)
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if _count_members(value) != skeleton.count(b":"):
        raise InvalidRequest("The JSON must not repeat a key in an object.")
    if rb"\u0000" in body and any("\0" in text for text in _strings(value)):
        raise InvalidRequest("The JSON must not contain the character NUL.")
    return value


def _skeleton(body: bytes) -> bytes:
    """Return the JSON without its strings. It runs in C only; invalid JSON gives any result."""
    return b"".join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _is_too_deep(skeleton: bytes) -> bool:
    if skeleton.count(b"{") + skeleton.count(b"[") < MAX_DEPTH:
        return False
    depth = 0
    for byte in skeleton.translate(None, NO_BRACKETS):
        if byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
        if depth >= MAX_DEPTH:
            return True
    return False


def _decode(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error.msg}.") from error


def _count_members(value: object) -> int:
    """Return the number of members of all objects in `value`."""
    if isinstance(value, dict):
        return len(value) + sum(map(_count_members, value.values()))
    return sum(map(_count_members, value)) if isinstance(value, list) else 0


def _strings(value: object) -> Iterator[str]:
    """Yield every string in `value`, including keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
