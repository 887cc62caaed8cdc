import pytest

from fakemodel.errors import APIError
from fakemodel.limits import Limits


def limits(*, max_concurrent: int = 0, max_per_window: int = 0) -> Limits:
    return Limits(max_concurrent=max_concurrent, max_per_window=max_per_window, window=60.0)


def test_zero_means_unlimited() -> None:
    unlimited = limits()

    for in_flight in range(1, 5000):
        unlimited.admit(in_flight)


def test_too_many_concurrent_calls_get_429_without_retry_after() -> None:
    limited = limits(max_concurrent=2)
    limited.admit(2)

    with pytest.raises(APIError) as caught:
        limited.admit(3)

    assert (caught.value.status, caught.value.retry_after) == (429, None)


def test_too_many_calls_per_window_get_retry_after() -> None:
    limited = limits(max_per_window=2)
    limited.admit_at(0.0)
    limited.admit_at(10.5)

    with pytest.raises(APIError) as caught:
        limited.admit_at(20.0)

    assert caught.value.retry_after == 40
    limited.admit_at(60.0)


def test_rejected_calls_do_not_count() -> None:
    limited = limits(max_per_window=1)
    limited.admit_at(0.0)
    for now in (1.0, 30.0, 59.9):
        with pytest.raises(APIError):
            limited.admit_at(now)

    limited.admit_at(60.0)
