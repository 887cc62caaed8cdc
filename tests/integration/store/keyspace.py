"""The keys that may exist in Redis at any time."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

# All keys that have no TTL.
PERMANENT_KEY = re.compile(
    r"chat:\{\d+\}:(due|by_activity|counts|waiting|running|counters|outbox|search_fields|search_index|labels|waiting_by_party)"
    r"|chat:deployment"
)
DEPLOYMENT_KEY = "chat:deployment"
# Keys that have no TTL either, and whose contents no test compares.
UNREAD_KEY = re.compile(
    r"chat:rollups|chat:audit(:clients)?|chat:bans|chat:\{budgets\}:(reservations|checks|api_keys|\w+:ever:)|chat:\{\d+\}:ratings"
)
SESSION_KEY = re.compile(
    r"(chat:\{\d+\}:)(?:session|messages|partial|log|events|idempotency|files)(:.+)"
)
DELIVERIES_KEY = re.compile(r"(chat:\{\d+\}:)deliveries:(.+)")
NO_TTL = -1


@dataclass
class Keyspace:
    """The contents of Redis, except those of sessions."""

    # Every key -> ms since the epoch at which it expires, or `NO_TTL`.
    expire_at: dict[str, int] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    by_activity: dict[str, float] = field(default_factory=dict)
    outbox: dict[str, float] = field(default_factory=dict)
    # Session -> model, normalized name and openers, on a line each.
    search_fields: dict[str, str] = field(default_factory=dict)
    # Lines of model, normalized name and session.
    search_index: set[str] = field(default_factory=set)
    # Label and session -> 0.
    labels: dict[str, float] = field(default_factory=dict)
    # Summed over all partitions.
    counts: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    # Party -> its queued turns, summed over all partitions.
    waiting_by_party: Counter[str] = field(default_factory=Counter)
    # Summed over all partitions.
    counters: Counter[str] = field(default_factory=Counter)


def read(redis: Redis) -> Keyspace:
    contents = Keyspace()
    keys = [key.decode() for key in redis.scan_iter(count=1000)]
    permanent = [key for key in keys if PERMANENT_KEY.fullmatch(key) and key != DEPLOYMENT_KEY]
    pipeline: Any = redis.pipeline(transaction=False)
    for key in keys:
        pipeline.pexpiretime(key)
    for key in permanent:
        if key.endswith(("counts", "counters", "search_fields")):
            pipeline.hgetall(key)
        elif key.endswith("search_index"):
            pipeline.smembers(key)
        else:
            pipeline.zrange(key, 0, -1, withscores=True)
    answers = pipeline.execute()
    contents.expire_at = dict(zip(keys, answers, strict=False))
    for key, content in zip(permanent, answers[len(keys) :], strict=True):
        _add(contents, key.rpartition(":")[2], content)
    return contents


def _add(contents: Keyspace, noun: str, content: Any) -> None:
    if noun in {"counts", "counters"}:
        counter: Counter[str] = getattr(contents, noun)
        counter.update({name.decode(): int(count) for name, count in content.items()})
        return
    if noun == "search_fields":
        contents.search_fields.update(
            {name.decode(): text.decode() for name, text in content.items()}
        )
        return
    if noun == "search_index":
        contents.search_index |= {line.decode() for line in content}
        return
    if noun == "waiting_by_party":
        contents.waiting_by_party.update({name.decode(): int(count) for name, count in content})
        return
    members: dict[str, float] = getattr(contents, noun)
    for member, score in content:
        assert member.decode() not in members, f"{member} is in two partitions of {noun}"
        members[member.decode()] = score


@contextmanager
def rolled_back(redis: Redis) -> Iterator[None]:
    """Restore every key afterwards, like a failover that loses the last writes."""
    saved = {key: (redis.dump(key), max(0, redis.pexpiretime(key))) for key in redis.scan_iter()}
    yield
    redis.flushdb()
    for key, (value, expires) in saved.items():
        assert value is not None
        redis.restore(key, expires, value, absttl=True)


def assert_no_stray_keys(expire_at: dict[str, int], outbox: Iterable[str]) -> None:
    """Every key has a TTL or is permanent, and every key of a session has its session.

    Deliveries have a session or an entry in the outbox.
    """
    pending = {member.rpartition(":")[0] for member in outbox}
    for key, expires in expire_at.items():
        is_permanent = PERMANENT_KEY.fullmatch(key) or UNREAD_KEY.fullmatch(key)
        assert is_permanent or expires != NO_TTL, f"{key} has no TTL"
        session_key = SESSION_KEY.fullmatch(key)
        assert session_key is None or f"{session_key[1]}session{session_key[2]}" in expire_at, (
            f"{key} has no session"
        )
        deliveries = DELIVERIES_KEY.fullmatch(key)
        assert (
            deliveries is None
            or deliveries[2] in pending
            or f"{deliveries[1]}session:{deliveries[2]}" in expire_at
        ), f"{key} has nothing to deliver"
