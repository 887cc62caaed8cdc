from chat.realtime.rate_limit import RateLimiter


def test_a_burst_passes_and_no_more() -> None:
    pace = RateLimiter(per_minute=1, burst=5)
    assert [pace.allow() for _ in range(8)] == [True] * 5 + [False] * 3


def test_what_is_refused_counts_for_nothing() -> None:
    pace = RateLimiter(per_minute=6000, burst=1)
    assert pace.allow()
    until = 0
    while not pace.allow():
        until += 1
        assert until < 10_000_000


def test_without_a_rate_all_pass() -> None:
    pace = RateLimiter(per_minute=0, burst=1)
    assert all(pace.allow() for _ in range(1000))
