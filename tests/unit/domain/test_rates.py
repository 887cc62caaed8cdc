"""Limits of calls per minute."""

import pytest

from chat.domain.rates import MINUTE_MS, RateLimiter, interval_and_burst


def test_burst_is_limited() -> None:
    limiter = RateLimiter(per_minute=1, burst=5)
    assert [limiter.allow() for _ in range(8)] == [True] * 5 + [False] * 3


def test_rejected_calls_are_not_counted() -> None:
    limiter = RateLimiter(per_minute=6000, burst=1)
    assert limiter.allow()
    until = 0
    while not limiter.allow():
        until += 1
        assert until < 10_000_000


def test_zero_rate_means_no_limit() -> None:
    limiter = RateLimiter(per_minute=0, burst=1)
    assert all(limiter.allow() for _ in range(1000))


@pytest.mark.parametrize("share", [4, 10])
@pytest.mark.parametrize("per_minute", [2, 3, 9, 10, 60, 1000, 250_000])
def test_no_minute_exceeds_its_limit(per_minute: int, share: int) -> None:
    interval, burst = interval_and_burst(per_minute, burst_share=share)
    within_a_minute = burst + int(MINUTE_MS / interval)
    assert 0.7 * per_minute <= within_a_minute <= per_minute
