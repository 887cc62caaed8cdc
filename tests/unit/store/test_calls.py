"""Store calls that are executed together."""

from typing import Any

import pytest

from chat.domain.errors import RateLimited, SessionNotFound, StoreUnavailable
from chat.store.calls import Steps, gather


def send_times(name: str, count: int, error: Exception | None = None) -> Steps[list[str]]:
    """Make some round trips; return their replies, or raise the error."""
    replies = []
    for i in range(count):
        (reply,) = yield [(name, i)]
        replies.append(reply)
    if error is not None:
        raise error
    return replies


def execute(steps: Steps[Any]) -> list[list[Any]]:
    """Return the calls of each round trip, to which the replies are the calls."""
    trips = []
    try:
        calls = next(steps)
        while True:
            trips.append(list(calls))
            calls = steps.send(list(calls))
    except StopIteration:
        return trips


def test_both_calls_share_round_trips_in_order() -> None:
    results: list[Any] = []

    def both() -> Steps[None]:
        results.extend((yield from gather(send_times("a", 2), send_times("b", 3))))

    assert execute(both()) == [[("a", 0), ("b", 0)], [("a", 1), ("b", 1)], [("b", 2)]]
    assert results == [[("a", 0), ("a", 1)], [("b", 0), ("b", 1), ("b", 2)]]


def test_first_of_two_errors_is_raised() -> None:
    one, other = send_times("a", 1, SessionNotFound()), send_times("b", 1, RateLimited())
    with pytest.raises(SessionNotFound):
        execute(gather(one, other))


def test_error_without_io_prevents_the_other_call() -> None:
    for failing in (0, 1):
        calls = [send_times("a", 1), send_times("b", 1)]
        calls[failing] = send_times("c", 0, RateLimited())
        with pytest.raises(RateLimited):
            next(gather(*calls))


def test_error_ends_the_other_call() -> None:
    with pytest.raises(RateLimited):
        execute(gather(send_times("a", 9), send_times("b", 1, RateLimited())))


def test_calls_may_continue_without_a_reply() -> None:
    def patient() -> Steps[str]:
        try:
            yield [("a", 0)]
        except StoreUnavailable:
            return "old"
        return "new"

    both = gather(patient(), patient())
    next(both)
    with pytest.raises(StopIteration) as end:
        both.throw(StoreUnavailable())
    assert end.value.value == ("old", "old")
