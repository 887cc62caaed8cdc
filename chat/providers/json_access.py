"""Parse a vendor's JSON, and look values up in it."""

import json
from typing import Any

from chat.domain.errors import ModelInvalidResponse

# More tokens than any call takes. Redis sums the counts, and its integers have 64 bits.
MAX_TOKENS = 1_000_000_000


def parse_leniently(data: bytes | bytearray) -> object:
    """Return the JSON document in `data`, which may contain NaN and lone surrogates.

    orjson is strict, and ten times as fast.

    Raises:
        ModelInvalidResponse: it is not JSON.
    """
    try:
        document: object = json.loads(data.decode("utf-8", "surrogatepass"))
    except json.JSONDecodeError as error:
        raise ModelInvalidResponse from _without_document(error)
    except UnicodeDecodeError as error:
        raise ModelInvalidResponse from ValueError(f"invalid UTF-8 at {error.start}")
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; nesting
        raise ModelInvalidResponse from ValueError(f"JSON with a {type(error).__name__}")
    return document


def _without_document(error: json.JSONDecodeError) -> ValueError:
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


def get_token_count(value: object, *path: str | int) -> int | None:
    """Return the number of tokens at `path`, or `None` if it is missing or implausible."""
    found = get_path(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    if not 0 <= found <= MAX_TOKENS or found != int(found):  # NaN is not in any range
        return None
    return int(found)


class SurrogateJoiner:
    """Joins characters that a server has split into two surrogates in two deltas."""

    def __init__(self) -> None:
        self._buffer = ""

    def join(self, text: str) -> str:
        """Return the text without a surrogate that may need the next delta; replace lone ones."""
        text = self._buffer + text
        self._buffer = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = text.removesuffix(self._buffer)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def flush(self) -> str:
        """Return what replaces a surrogate whose second half never came."""
        return "\ufffd" if self._buffer else ""
