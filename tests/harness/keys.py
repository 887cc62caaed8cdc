"""What a running Parley may leave in Redis: keys that expire, and those on a list."""

import re

from redis import Redis

PERMANENT = (
    # One of each a partition, of bounded number: what is due, the lists, the counts.
    re.compile(
        r"chat:\{\d+\}:"
        r"(due|by_activity|counts|waiting|running|counters|outbox|search_fields|search_index)"
    ),
    # Celery's queue, as long as wake-ups wait in it, and kombu's note that it exists.
    re.compile(r"chat"),
    re.compile(r"_kombu\.binding(_permanent)?\.chat"),
)
NO_TTL = -1
"""Redis's answer for a key that never expires."""


def keys_for_ever(url: str) -> list[str]:
    """Return the keys of the Redis at `url` that never expire and are on no list."""
    with Redis.from_url(url, decode_responses=True) as redis:
        return [
            key
            for key in redis.scan_iter(count=1000)
            if not any(pattern.fullmatch(key) for pattern in PERMANENT)
            and redis.pttl(key) == NO_TTL
        ]
