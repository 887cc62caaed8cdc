"""Idempotency keys: validation, storage, and digests that distinguish requests."""

import hashlib
import re
from dataclasses import fields, is_dataclass

import orjson

from chat.domain.errors import InvalidRequest
from chat.domain.ids import random_id

# Enough where the key only has to differ from the session's other keys.
MIN_KEY_CHARS = 1
# Keys that can retrieve a token are this long: a repeated request returns the same token.
MIN_SECRET_KEY_CHARS = 16
MAX_KEY_CHARS = 255
CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def check_key(key: str, *, is_secret: bool = False) -> str:
    """Return the client's key if it is valid.

    Raises:
        InvalidRequest: it is not 1 to 255 printable ASCII characters (at least 16 if `is_secret`).
    """
    min_chars = MIN_SECRET_KEY_CHARS if is_secret else MIN_KEY_CHARS
    if not re.fullmatch(key_pattern(min_chars), key):
        raise InvalidRequest(
            f"Idempotency-Key must have {min_chars} to {MAX_KEY_CHARS} printable ASCII characters.",
            param="Idempotency-Key",
        )
    return key


def key_pattern(min_chars: int) -> str:
    """Return the regular expression of keys with at least `min_chars` characters."""
    if min_chars == 1:
        return rf"^[!-~]([ -~]{{0,{MAX_KEY_CHARS - 2}}}[!-~])?$"
    return rf"^[!-~][ -~]{{{min_chars - 2},{MAX_KEY_CHARS - 2}}}[!-~]$"


def storage_key(key: str) -> str:
    """Return the key under which the store keeps the first answer.

    Without a client's key it is a random key, so that a script that runs twice has one effect.
    """
    return f"c:{key}" if key else f"m:{random_id()}"


def digest(*parts: object) -> str:
    """Return 16 hex digits of a SHA-256 over the parts of a request.

    Dataclasses count with their fields that differ from the default only. A later version may
    therefore add fields, and a repeated request of an earlier version still matches.
    """
    canonical = orjson.dumps(parts, default=_plain, option=CANONICAL)
    return hashlib.sha256(canonical).hexdigest()[:16]


def _plain(part: object) -> object:
    if isinstance(part, bytes):
        return part.decode()
    if isinstance(part, tuple):  # a named one
        return list(part)
    if not is_dataclass(part) or isinstance(part, type):
        raise TypeError
    default = type(part)()
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}
