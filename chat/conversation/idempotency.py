"""Idempotency keys: validation, storage, and digests that distinguish requests."""

import hashlib
import re

from chat.domain.errors import InvalidRequest
from chat.domain.ids import random_id

# Enough where the key only has to differ from the session's other keys.
MIN_KEY_CHARS = 1
# For keys that can retrieve a token: a repeated request returns the same token.
MIN_SECRET_KEY_CHARS = 16
MAX_KEY_CHARS = 255


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
    """Return 16 hex digits of a SHA-256 over the parts of a request."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
