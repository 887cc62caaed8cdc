"""Idempotency keys and the digests that tell one request from another."""

import hashlib

from chat.domain.ids import random_id


def storage_key(key: str) -> str:
    """Return the key under which the store keeps the first answer.

    Without a client's key it is a random one, so that a call that Redis executes twice has one
    effect.
    """
    return f"c:{key}" if key else f"m:{random_id()}"


def digest(*parts: object) -> str:
    """Return 16 hex digits of a SHA-256 over the parts of a request."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
