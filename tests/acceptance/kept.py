"""What stands in Redis, read past Parley's own code."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY = re.compile(r"chat:\{(\d+)\}:([a-z_]+)(?::(.+))?")
OF_A_SESSION = ("session", "messages", "partial", "events", "idempotency")
"""Nouns of the keys that live and die with their session."""

Reader: TypeAlias = Any
"""A client of Redis that decodes what it reads; the library's types leave that open."""
Message = dict[str, Any]
Event = dict[str, Any]


@dataclass(slots=True)
class Kept:
    """Everything that Parley keeps, at one moment."""

    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: dict[str, dict[int, Message]] = field(default_factory=dict)
    """Session -> number -> message."""
    asks: dict[str, list[str]] = field(default_factory=dict)
    """Session -> what open turns were asked with: empty at rest."""
    events: dict[str, list[Event]] = field(default_factory=dict)
    owners: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Noun -> sessions that have such a key."""
    due: dict[str, float] = field(default_factory=dict)
    outbox: dict[str, float] = field(default_factory=dict)
    """`<session>:<reply>` of what a webhook is still to be told."""
    by_activity: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Gauges and totals over all partitions."""

    def replies(self, session_id: str) -> dict[str, Message]:
        """Return the session's replies by their ids."""
        messages = self.messages.get(session_id, {}).values()
        return {each["id"]: each for each in messages if each["role"] == "assistant"}


def reader(url: str) -> Reader:
    """Return a client for the Redis at `url`, which a test may have restarted meanwhile."""
    return Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 1))


def read(redis: Reader) -> Kept:
    """Read it all."""
    kept = Kept()
    for key in sorted(redis.scan_iter("chat:{*", count=1000)):
        if key.startswith("chat:{model:"):
            continue  # of a model, not of a session; it forgets itself
        found = KEY.fullmatch(key)
        assert found, f"a key that nobody knows: {key}"
        noun, session_id = found.group(2), found.group(3)
        if session_id:
            kept.owners[noun].add(session_id)
            _read_own(redis, kept, key, noun, session_id)
        else:
            _read_shared(redis, kept, key, noun)
    return kept


def _read_own(redis: Reader, kept: Kept, key: str, noun: str, session_id: str) -> None:
    if noun == "session":
        kept.sessions[session_id] = redis.hgetall(key)
    elif noun == "events":
        kept.events[session_id] = [json.loads(entry["event"]) for _, entry in redis.xrange(key)]
    elif noun == "messages":
        fields = redis.hgetall(key)
        kept.asks[session_id] = [name for name in fields if not name.isdigit()]
        numbers = sorted(int(name) for name in fields if name.isdigit())
        kept.messages[session_id] = {number: json.loads(fields[str(number)]) for number in numbers}


def _read_shared(redis: Reader, kept: Kept, key: str, noun: str) -> None:
    if noun == "due":
        kept.due |= dict(redis.zrange(key, 0, -1, withscores=True))
    elif noun == "outbox":
        kept.outbox |= dict(redis.zrange(key, 0, -1, withscores=True))
    elif noun == "by_activity":
        kept.by_activity |= dict(redis.zrange(key, 0, -1, withscores=True))
    elif noun == "counts":
        for name, number in redis.hgetall(key).items():
            kept.counts[name] += int(number)
