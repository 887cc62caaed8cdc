"""Age sessions without waiting: all their times move into the past."""

from typing import Any

from redis import Redis

from chat.store import keys

# Fields of the session's hash that are times, ms.
TIME_FIELDS = (
    "created_at",
    "last_active_at",
    "expires_at",
    "max_expires_at",
    "keys_expire_at",
    "lease_until",
    "deadline",
    "retry_at",
    "tat",
    "started_at",
    "next_deadline",
    "budget_resets_at",
    "rotated_expires_at",
)


def advance(redis: Redis, session_id: str, seconds: float) -> None:
    """Let seconds pass for one session only."""
    ms = round(seconds * 1000)
    own = keys.for_session(session_id)
    looking: Any = redis.pipeline()
    looking.hmget(own.session, TIME_FIELDS)
    looking.hgetall(own.messages)
    for key in own[:6]:
        looking.pexpiretime(key)
    moments, stored, *expiries = looking.execute()

    ageing: Any = redis.pipeline()
    for name, moment in zip(TIME_FIELDS, moments, strict=True):
        if int(moment or 0):
            ageing.hincrby(own.session, name, -ms)
    for name, kept in stored.items():
        deadline, _, request = kept.partition(b" ")
        if name.endswith(b":request"):
            ageing.hset(own.messages, name, b"%d %s" % (int(deadline) - ms, request))
    for key, expiry in zip(own[:6], expiries, strict=True):
        ageing.pexpireat(key, max(0, expiry - ms))
    for key in (own.due, own.by_activity, own.waiting, own.running):
        ageing.zadd(key, {session_id: -ms}, xx=True, incr=True)
    ageing.execute()
