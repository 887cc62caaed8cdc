"""API keys in Redis, without their secrets.

On a Cluster, two nodes have all keys, so that a dead node makes none unavailable. Both copies are
written before a call succeeds, and each read compares them: one may lack what was written by an
older version, or while its node was down. Nothing but a revocation changes a key, so the copy that
is revoked is the newer one.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import orjson
from redis.exceptions import RedisError

from chat.domain import ApiKey, Scope
from chat.domain.policy import Policy
from chat.store import keys
from chat.store.calls import Steps, reply_or_raise, send, send_all, store_call
from chat.store.client import (
    client,
    execute_command,
    execute_commands,
    is_programming_error,
)
from chat.store.routing import Command

# Members of a stored key that this version knows.
KNOWN_FIELDS = {field.name for field in fields(ApiKey)}
KNOWN_RULES = {field.name for field in fields(Policy)}


def add(key: ApiKey) -> None:
    """Store a key.

    Raises:
        StoreFull, StoreUnavailable: it may be stored in one of the copies.
    """
    stored = orjson.dumps(asdict(key))
    execute_commands([("HSET", name, key.id, stored) for name in _copies()])


def _copies() -> tuple[str, ...]:
    """Return the hashes that have all keys."""
    if client().topology.is_cluster:
        return keys.api_keys(), keys.api_keys_duplicate()
    return (keys.api_keys(),)


@store_call
def get_many(key_ids: Sequence[str]) -> Steps[list[ApiKey | None]]:
    """Return the keys of these ids, `None` for each that does not exist; one round trip.

    Raises:
        StoreUnavailable
    """
    if not key_ids:
        return []
    found = yield from _read(key_ids)
    return [found.get(key_id) for key_id in key_ids]


def _read(key_ids: Sequence[str] = ()) -> Steps[dict[str, ApiKey]]:
    """Return the keys of these ids that exist, by default all; two round trips to repair a copy.

    Raises:
        StoreUnavailable: no copy is available, or a key may exist in the other one only.
    """
    names = _copies()
    reads: list[Command] = [
        ("HMGET", name, *key_ids) if key_ids else ("HVALS", name) for name in names
    ]
    replies = yield from send_all(reads)
    errors = [reply for reply in replies if isinstance(reply, RedisError)]
    if len(errors) == len(names) or any(map(is_programming_error, errors)):
        reply_or_raise(errors[0])
    copies = {
        name: _by_id(reply, key_ids)
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, RedisError)
    }
    newest = _newest(copies.values())
    if errors and not newest.keys() >= set(key_ids):
        reply_or_raise(errors[0])
    # An error of a repair does not matter: the next read repeats it.
    yield from send_all(_repairs(copies, newest))
    return {key_id: _parse(stored) for key_id, stored in newest.items()}


def _by_id(reply: Sequence[bytes | None], key_ids: Sequence[str]) -> dict[str, bytes]:
    found = zip(key_ids, reply, strict=True) if key_ids else _with_ids(reply)
    return {key_id: stored for key_id, stored in found if stored is not None}


def _with_ids(reply: Sequence[bytes | None]) -> Iterable[tuple[str, bytes]]:
    return [(_parse(stored).id, stored) for stored in reply if stored is not None]


def _newest(copies: Iterable[Mapping[str, bytes]]) -> dict[str, bytes]:
    newest: dict[str, bytes] = {}
    for copy in copies:
        for key_id, stored in copy.items():
            other = newest.setdefault(key_id, stored)
            if stored != other and _parse(stored).revoked_at > _parse(other).revoked_at:
                newest[key_id] = stored
    return newest


def _repairs(
    copies: Mapping[str, Mapping[str, bytes]], newest: Mapping[str, bytes]
) -> list[Command]:
    """Return the commands that make the copies equal. HSETNX undoes no revocation."""
    return [
        ("HSET" if key_id in copy else "HSETNX", name, key_id, stored)
        for name, copy in copies.items()
        for key_id, stored in newest.items()
        if copy.get(key_id) != stored
    ]


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
    found = yield from _read()
    return sorted(found.values(), key=lambda key: -key.created_at)


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
