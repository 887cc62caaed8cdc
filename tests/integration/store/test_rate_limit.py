"""Rate limits of clients."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from chat.accounts import address_limits, logins
from chat.domain.errors import RateLimited
from chat.store.rate_limit import throttle


def is_allowed(client_id: str) -> bool:
    try:
        throttle("sessions", client_id, per_minute=7, burst=10)
    except RateLimited:
        return False
    return True


@pytest.mark.security("S21")
def test_burst_of_10_allows_exactly_10_of_60_calls() -> None:
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(is_allowed, ["1.2.3.4"] * 60)) == 10


def test_clients_do_not_share_a_limit() -> None:
    for _ in range(10):
        assert is_allowed("a")
    assert is_allowed("b")
    assert not is_allowed("a")


def test_rejection_says_when_to_retry() -> None:
    for _ in range(10):
        is_allowed("a")
    with pytest.raises(RateLimited) as rejected:
        throttle("sessions", "a", per_minute=7, burst=10)
    assert 60 / 7 - 1 < rejected.value.retry_after <= 60 / 7 + 0.001


def test_counter_expires_when_it_no_longer_matters(redis: Redis) -> None:
    is_allowed("a")
    (key,) = redis.scan_iter("chat:rate_limit:*")
    assert 0 < redis.pttl(key) <= 60_000 / 7 + 1


def test_rate_of_0_sets_no_limit(redis: Redis) -> None:
    for _ in range(100):
        throttle("sessions", "a", per_minute=0, burst=1)
    assert not list(redis.scan_iter("chat:rate_limit:*"))


def test_rates_faster_than_the_clock_are_allowed() -> None:
    for _ in range(3):
        throttle("sessions", "a", per_minute=10**9, burst=1)


def test_limits_of_one_call_are_in_one_slot() -> None:
    """Those of an IPv6 address and its network, and those of a login."""
    address_limits.throttle("sessions", "2001:db8:1:2::/64", per_minute=60, burst=9)
    with logins.attempt(username="ada", address="2001:db8:1:2::/64"):
        pass
