import pytest

from fakemodel.errors import APIError
from fakemodel.limits import Limits


def test_calls_per_window_are_limited_without_counting_rejected_ones() -> None:
    limited = Limits(max_concurrent=0, max_per_window=2, window=60.0)
    limited.admit_at(0.0)
    limited.admit_at(10.5)

    for now, retry_after in ((20.0, 40), (59.9, 1)):
        with pytest.raises(APIError) as caught:
            limited.admit_at(now)
        assert caught.value.retry_after == retry_after

    limited.admit_at(60.0)
