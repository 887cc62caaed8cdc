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
from tests.integration.api.client import APIClient
from tests.integration.api.fake_worker import complete_turn

MIB = 1024 * 1024


def used_memory(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


@contextmanager
def room_of(redis: Redis, size: int) -> Iterator[None]:
    """Give Redis `size` bytes more than it uses now."""
    redis.config_set("maxmemory", used_memory(redis) + size)
    try:
        yield
    finally:
        redis.config_set("maxmemory", 0)


def attack(act: Callable[[], Any], *, threads: int, seconds: float) -> Counter[int]:
    """Call as fast as possible; return how often each status was the response."""
    statuses: Counter[int] = Counter()

    def repeat() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            statuses[act().status_code] += 1

    run_concurrently([repeat] * threads)
    return statuses


@pytest.mark.security("S43")
def test_patches_of_60_kb_do_not_fill_redis(
    api_with: Callable[..., APIClient], redis: Redis
) -> None:
    api = api_with()
    owner, other = api.open_session(), api.open_session()
    attack(owner.get, threads=4, seconds=0.2)  # loads scripts, opens connections

    def patch() -> Any:
        # Each change differs; JSON escapes make 32 KB of it 60 KB.
        prompt = secrets.token_hex(8) + 15_000 * "\t" + 17_000 * "x"
        return owner.request("PATCH", owner.path, json={"system_prompt": prompt})

    before = used_memory(redis)
    with room_of(redis, 16 * MIB):
        statuses = attack(patch, threads=4, seconds=2)
        assert other.post_message("hello")
    assert set(statuses) == {200, 429}
    assert statuses[200] <= 60 + 5 * 2
    assert used_memory(redis) - before < 8 * MIB


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
    statuses = attack(rate, threads=4, seconds=1)
    assert set(statuses) == {200, 429}
    assert statuses[200] <= 60 + 5 * 1
    assert used_memory(redis) - before < MIB / 2
