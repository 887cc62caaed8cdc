"""Limits of calls per minute."""

import time

import pytest

from chat.domain.rates import MINUTE_MS, RateLimiter, interval_and_burst
from tests.harness.wait import wait_until


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


def test_zero_rate_allows_calls_of_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(per_minute=0, burst=1)

    def other_thread_calls_first() -> float:
        monkeypatch.setattr(time, "monotonic", lambda: 2.0)
        assert limiter.allow()
        return 1.0

    monkeypatch.setattr(time, "monotonic", other_thread_calls_first)
    assert limiter.allow()


def test_calls_beyond_the_limit_are_charged_up_to_half_a_burst() -> None:
    limiter = RateLimiter(per_minute=60_000, burst=10)
    for _ in range(100):
        limiter.charge(100)
    assert limiter.is_exhausted
    # Six intervals of a millisecond; 10,000 calls would take ten seconds.
    wait_until(lambda: not limiter.is_exhausted, within=5)


@pytest.mark.parametrize("share", [4, 10])
@pytest.mark.parametrize("per_minute", [2, 3, 9, 10, 60, 1000, 250_000])
def test_no_minute_exceeds_its_limit(per_minute: int, share: int) -> None:
    interval, burst = interval_and_burst(per_minute, burst_share=share)
    within_a_minute = burst + int(MINUTE_MS / interval)
    assert 0.7 * per_minute <= within_a_minute <= per_minute
