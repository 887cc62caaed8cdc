"""Reading JSON that means one thing only: what parsers disagree about is refused."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from chat.domain.errors import InvalidRequest

# Objects and arrays inside one another with which a body is refused.
MAX_DEPTH = 50
# More digits than 64 bits can be trusted to hold; orjson would make a float of it.
LONG_INTEGER = re.compile(rb"(?<![\d.eE+-])-?\d{20,}(?![\d.eE])")


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that `body` holds.

    Raises:
        InvalidRequest: it is not UTF-8 or not JSON, bears a byte order mark, is nested `DEPTH`
            deep,
            is not an object, repeats a key, or holds NUL, a lone surrogate, NaN, infinity or
            an integer of 20 digits or more.
    """
    skeleton = _skeleton(body)
    if _is_too_deep(skeleton):
        raise InvalidRequest(f"The JSON is nested {MAX_DEPTH} deep or more.")
    if LONG_INTEGER.search(skeleton):
        raise InvalidRequest("The JSON holds an integer of 20 digits or more.")
    found = _decode(body)
    if not isinstance(found, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if _count_members(found) != skeleton.count(b":"):
        raise InvalidRequest("The JSON repeats a key.")
    if rb"\u0000" in body and any("\0" in text for text in _strings(found)):
        raise InvalidRequest("The JSON holds the character NUL.")
    return found


def _skeleton(body: bytes) -> bytes:
    """Return what stands outside of strings, by C loops alone; of what is not JSON, something."""
    return b"".join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _is_too_deep(skeleton: bytes) -> bool:
    if skeleton.count(b"{") + skeleton.count(b"[") < MAX_DEPTH:
        return False
    depth = 0
    for byte in skeleton:
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
    """Return how many keys the objects in `value` have together."""
    if isinstance(value, dict):
        return len(value) + sum(map(_count_members, value.values()))
    return sum(map(_count_members, value)) if isinstance(value, list) else 0


def _strings(value: object) -> Iterator[str]:
    """Give every string in `value`, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
