"""API keys in Redis, without their secrets."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import orjson

from chat.domain import ApiKey, Scope
from chat.domain.policy import Policy
from chat.store import keys
from chat.store.calls import Steps, send, store_call
from chat.store.client import execute_command

# Members of a stored key that this version knows.
KNOWN_FIELDS = {field.name for field in fields(ApiKey)}
KNOWN_RULES = {field.name for field in fields(Policy)}


def add(key: ApiKey) -> None:
    """Store a key.

    Raises:
        StoreFull, StoreUnavailable
    """
    execute_command("HSET", keys.api_keys(), key.id, orjson.dumps(asdict(key)))


@store_call
def get_many(key_ids: Sequence[str]) -> Steps[list[ApiKey | None]]:
    """Return the keys of these ids, `None` for each that does not exist; one round trip.

    Raises:
        StoreUnavailable
    """
    if not key_ids:
        return []
    found = yield from send(("HMGET", keys.api_keys(), *key_ids))
    return [None if stored is None else _parse(stored) for stored in found]


@store_call
def find_invalid(key_ids: Sequence[str]) -> Steps[set[str]]:
    """Return which of these keys do not exist, have expired or are revoked; one round trip.

    Raises:
        StoreUnavailable
    """
    now = time.time()
    stored = yield from get_many.steps(key_ids)
    found = zip(key_ids, stored, strict=True)
    return {key_id for key_id, key in found if key is None or not key.is_valid(now)}


@store_call
def all_keys() -> Steps[list[ApiKey]]:
    """Return all keys, the newest first.

    Raises:
        StoreUnavailable
    """
    found = yield from send(("HVALS", keys.api_keys()))
    return sorted(map(_parse, found), key=lambda key: -key.created_at)


def set_revoked(key: ApiKey, *, at: float) -> None:
    """Mark a key as revoked.

    Raises:
        StoreFull, StoreUnavailable
    """
    add(replace(key, revoked_at=at))


@store_call
def set_last_used(key_id: str, *, at: float) -> Steps[None]:
    """Remember when a key was used.

    Raises:
        StoreFull, StoreUnavailable
    """
    yield from send(("HSET", keys.api_keys_last_used(), key_id, f"{at:.0f}"))


def last_used() -> dict[str, float]:
    """Return when each key was used, in seconds since the epoch.

    Raises:
        StoreUnavailable
    """
    found = execute_command("HGETALL", keys.api_keys_last_used())
    return {key_id.decode(): float(at) for key_id, at in zip(found[::2], found[1::2], strict=True)}


def _parse(stored: bytes) -> ApiKey:
    known = {name: value for name, value in orjson.loads(stored).items() if name in KNOWN_FIELDS}
    scopes = tuple(map(Scope, known["scopes"]))
    return ApiKey(**{**known, "scopes": scopes, "policy": parse_policy(known.get("policy", {}))})


def parse_policy(stored: Mapping[str, Any]) -> Policy:
    """Return a policy without what a newer version may have stored."""
    known = {name: value for name, value in stored.items() if name in KNOWN_RULES}
    return Policy(**{**known, "models": tuple(known.get("models", ()))})
