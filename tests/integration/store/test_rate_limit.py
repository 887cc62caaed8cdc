"""Paces that callers are held to."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from chat.domain.errors import RateLimited
from chat.store.rate_limit import throttle


def passes(caller: str) -> bool:
    try:
        throttle("sessions", caller, per_minute=7, burst=10)
    except RateLimited:
        return False
    return True


@pytest.mark.security("S21")
def test_a_limit_of_10_lets_exactly_10_of_60_at_once_pass() -> None:
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(passes, ["1.2.3.4"] * 60)) == 10


def test_callers_do_not_share_a_pace() -> None:
    for _ in range(10):
        assert passes("a")
    assert passes("b")
    assert not passes("a")


def test_who_is_refused_is_told_when_to_come_again() -> None:
    for _ in range(10):
        passes("a")
    with pytest.raises(RateLimited) as refused:
        throttle("sessions", "a", per_minute=7, burst=10)
    assert 60 / 7 - 1 < refused.value.retry_after <= 60 / 7 + 0.001


def test_a_pace_is_forgotten_when_it_no_longer_matters(redis: Redis) -> None:
    passes("a")
    (key,) = redis.scan_iter("chat:rate_limit:*")
    assert 0 < redis.pttl(key) <= 60_000 / 7 + 1


def test_a_rate_of_0_sets_no_bound(redis: Redis) -> None:
    for _ in range(100):
        throttle("sessions", "a", per_minute=0, burst=1)
    assert not list(redis.scan_iter("chat:rate_limit:*"))
