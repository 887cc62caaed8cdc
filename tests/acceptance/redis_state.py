"""The data in Redis, read without Parley's own code."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.acceptance.stored_log import read_log

KEY = re.compile(r"chat:\{(\d+)\}:([a-z_]+)(?::(.+))?")
# Kinds of keys that exist only while their session does.
SESSION_KEYS = ("session", "messages", "partial", "log", "events", "idempotency")

# A client that decodes replies; the library's types do not express that.
RedisClient: TypeAlias = Any
Message = dict[str, Any]
Event = dict[str, Any]


@dataclass(slots=True)
class RedisState:
    """Everything that Parley stores."""

    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    # Session -> number -> message.
    messages: dict[str, dict[int, Message]] = field(default_factory=dict)
    # Session -> fields with the options of open turns; empty when idle.
    pending_requests: dict[str, list[str]] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    # Kind of key -> sessions that have one.
    owners: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    due: dict[str, float] = field(default_factory=dict)
    # `<session>:<reply>` of each pending webhook delivery.
    outbox: dict[str, float] = field(default_factory=dict)
    by_activity: dict[str, float] = field(default_factory=dict)
    # Gauges and totals over all partitions.
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def replies(self, session_id: str) -> dict[str, Message]:
        """Return the session's replies by id."""
        messages = self.messages.get(session_id, {}).values()
        return {each["id"]: each for each in messages if each["role"] == "assistant"}


def connect(url: str) -> RedisClient:
    """Return a client that reconnects once, because a test may have restarted Redis."""
    return Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 1))


def read_state(redis: RedisClient) -> RedisState:
    state = RedisState()
    for key in sorted(redis.scan_iter("chat:{*", count=1000)):
        if key.startswith(("chat:{model:", "chat:{budgets}:")):
            continue  # of no session
        found = KEY.fullmatch(key)
        assert found, f"unknown key: {key}"
        kind, session_id = found.group(2), found.group(3)
        if session_id:
            state.owners[kind].add(session_id)
            _read_session_key(redis, state, key, kind, session_id)
        else:
            _read_partition_key(redis, state, key, kind)
    return state


def _read_session_key(
    redis: RedisClient, state: RedisState, key: str, kind: str, session_id: str
) -> None:
    if kind == "session":
        state.sessions[session_id] = redis.hgetall(key)
        prefix = key.removesuffix(f"session:{session_id}")
        if events := read_log(redis, prefix, session_id):
            state.events[session_id] = events
    elif kind == "messages":
        fields = redis.hgetall(key)
        state.pending_requests[session_id] = [name for name in fields if not name.isdigit()]
        numbers = sorted(int(name) for name in fields if name.isdigit())
        state.messages[session_id] = {number: json.loads(fields[str(number)]) for number in numbers}


def _read_partition_key(redis: RedisClient, state: RedisState, key: str, kind: str) -> None:
    if kind == "due":
        state.due |= dict(redis.zrange(key, 0, -1, withscores=True))
    elif kind == "outbox":
        state.outbox |= dict(redis.zrange(key, 0, -1, withscores=True))
    elif kind == "by_activity":
        state.by_activity |= dict(redis.zrange(key, 0, -1, withscores=True))
    elif kind == "counts":
        for name, number in redis.hgetall(key).items():
            state.counts[name] += int(number)
