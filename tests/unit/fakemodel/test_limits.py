"""What is refused for being too much."""

import pytest

from fakemodel.errors import Refused
from fakemodel.limits import Limits


def limits(*, at_once: int = 0, per_minute: int = 0) -> Limits:
    return Limits(at_once=at_once, per_minute=per_minute, minute=60.0)


def test_no_limit_refuses_nothing() -> None:
    unlimited = limits()

    for in_flight in range(1, 5000):
        unlimited.admit(in_flight)


def test_one_call_too_many_at_once_is_a_429_without_retry_after() -> None:
    limited = limits(at_once=2)
    limited.admit(2)

    with pytest.raises(Refused) as caught:
        limited.admit(3)

    assert (caught.value.status, caught.value.headers) == (429, ())


def test_one_call_too_many_in_a_minute_says_when_to_come_back() -> None:
    limited = limits(per_minute=2)
    limited.admit_this_minute(0.0)
    limited.admit_this_minute(10.5)

    with pytest.raises(Refused) as caught:
        limited.admit_this_minute(20.0)

    assert caught.value.headers == ((b"retry-after", b"40"),)
    limited.admit_this_minute(60.0)


def test_refused_calls_do_not_count() -> None:
    limited = limits(per_minute=1)
    limited.admit_this_minute(0.0)
    for now in (1.0, 30.0, 59.9):
        with pytest.raises(Refused):
            limited.admit_this_minute(now)

    limited.admit_this_minute(60.0)
