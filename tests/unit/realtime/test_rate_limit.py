from chat.realtime.rate_limit import RateLimiter


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
