"""Find keys in Redis that have no TTL and are not on the list of permanent keys."""

import re

from tests.harness.redis_cluster import connect

PERMANENT = (
    # A partition has at most one of each.
    re.compile(
        r"chat:\{\d+\}:"
        r"(due|by_activity|counts|waiting|running|counters|outbox|search_fields|search_index|"
        r"labels|ratings|waiting_by_party)"
    ),
    re.compile(r"chat:deployment"),
    re.compile(r"chat:(audit(:clients)?|bans|rollups)"),
    re.compile(r"chat:api_keys(:last_used|:duplicate)?"),
    re.compile(
        r"chat:\{budgets\}:(reservations|checks|api_keys|(deployment|tenant|key|user):ever:)"
    ),
    # Celery's queue while it has messages, and kombu's binding of it.
    re.compile(r"chat"),
    re.compile(r"_kombu\.binding(_permanent)?\.chat"),
)
# Redis's reply to PTTL for a key without one.
NO_TTL = -1


def keys_without_ttl(url: str) -> list[str]:
    """Return the keys that never expire and are not permanent."""
    with connect(url, decode_responses=True) as redis:
        keys = [
            key
            for key in redis.scan_iter(count=1000)
            if not any(pattern.fullmatch(key) for pattern in PERMANENT)
        ]
        pipeline = redis.pipeline(transaction=False)
        for key in keys:
            pipeline.pttl(key)
        return [key for key, ttl in zip(keys, pipeline.execute(), strict=True) if ttl == NO_TTL]
