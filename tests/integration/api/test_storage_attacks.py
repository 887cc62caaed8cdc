"""Attacks on Redis's memory by one client of the default settings."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from tests.harness.concurrency import run_concurrently
from tests.harness.redis_cluster import require_one_server
from tests.integration.api.client import APIClient
from tests.integration.api.fake_worker import complete_turn

MIB = 1024 * 1024


def used_memory(redis: Redis) -> int:
    require_one_server()
    return int(redis.info("memory")["used_memory"])


@contextmanager
def room_of(redis: Redis, size: int) -> Iterator[None]:
    """Give Redis `size` bytes more than it uses now."""
    redis.config_set("maxmemory", used_memory(redis) + size)
    try:
        yield
    finally:
        redis.config_set("maxmemory", 0)


def attack(act: Callable[[], Any], *, calls: int) -> tuple[Counter[int], float]:
    """Call from 4 threads; return how often each status was the response, and the seconds."""
    statuses: Counter[int] = Counter()

    def repeat() -> None:
        for _ in range(calls // 4):
            statuses[act().status_code] += 1

    started = time.monotonic()
    run_concurrently([repeat] * 4)
    return statuses, time.monotonic() - started


def max_changes(seconds: float) -> float:
    """Return how many changes a session accepts by default."""
    return 60 + 2 * seconds + 1


@pytest.mark.security("S43")
def test_patches_of_60_kb_do_not_fill_redis(
    api_with: Callable[..., APIClient], redis: Redis
) -> None:
    api = api_with()
    owner, other = api.open_session(), api.open_session()
    attack(owner.get, calls=20)  # loads scripts, opens connections

    def patch() -> Any:
        # Each change differs; JSON escapes make 32 KB of it 60 KB.
        prompt = secrets.token_hex(8) + 15_000 * "\t" + 17_000 * "x"
        return owner.request("PATCH", owner.path, json={"system_prompt": prompt})

    before = used_memory(redis)
    with room_of(redis, 16 * MIB):
        statuses, seconds = attack(patch, calls=120)
        assert other.post_message("hello")
    assert set(statuses) == {200, 429}
    assert statuses[200] <= max_changes(seconds)
    assert used_memory(redis) - before < 8 * MIB


@pytest.mark.security("S44")
def test_large_sessions_of_one_address_do_not_fill_redis(
    api_with: Callable[..., APIClient], redis: Redis
) -> None:
    """A client of another address is still served."""
    api = api_with(
        CHAT_SESSIONS_PER_MINUTE="0",
        CHAT_MAX_BYTES_PER_ADDRESS=str(4 * MIB),
        CHAT_TRUSTED_PROXIES="127.0.0.1/32",
    )
    api.open_session()

    def open_large() -> Any:
        prompt = 15_000 * "\t" + 17_000 * "x"
        return api.post("/sessions", {"system_prompt": prompt, "ttl": 30 * 86_400})

    before = used_memory(redis)
    with room_of(redis, 16 * MIB):
        statuses, _ = attack(open_large, calls=100)
        other = api.request("POST", "/sessions", headers={"X-Forwarded-For": "192.0.2.9"}, json={})
    assert set(statuses) == {201, 429}
    assert statuses[201] <= 4 * MIB / 62_000
    assert other.status_code == 201
    assert used_memory(redis) - before < 6 * MIB


@pytest.mark.security("S54")
def test_ratings_with_comments_are_paced_and_small(
    api_with: Callable[..., APIClient], redis: Redis
) -> None:
    owner = api_with().open_session()
    owner.post_message("a question")
    complete_turn(owner.id, "x" * 16_000)

    def rate() -> Any:
        fields = {"rating": "up", "comment": secrets.token_hex(990)}
        return owner.post(f"{owner.path}/messages/msg_2/feedback", fields)

    before = used_memory(redis)
    statuses, seconds = attack(rate, calls=120)
    assert set(statuses) == {200, 429}
    assert statuses[200] <= max_changes(seconds)
    assert used_memory(redis) - before < MIB / 2
