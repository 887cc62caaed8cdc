from chat.realtime.rate_limit import Pace


def test_a_burst_passes_and_no_more() -> None:
    pace = Pace(per_minute=1, burst=5)
    assert [pace.lets_pass() for _ in range(8)] == [True] * 5 + [False] * 3


def test_what_is_refused_counts_for_nothing() -> None:
    pace = Pace(per_minute=6000, burst=1)
    assert pace.lets_pass()
    until = 0
    while not pace.lets_pass():
        until += 1
        assert until < 10_000_000


def test_without_a_rate_all_pass() -> None:
    pace = Pace(per_minute=0, burst=1)
    assert all(pace.lets_pass() for _ in range(1000))
