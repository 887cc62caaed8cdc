import time
from email.utils import formatdate

import pytest

from chat.http.retry_after import retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"llm_provider-retry-after": "7"}, 7),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "29.999998807907104"}, 29.999998807907104),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "١٢"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Wed, 99 Nov 99999 99:99:99 GMT"}, None),
    ],
)
def test_retry_after_seconds_are_parsed(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_date_uses_the_vendors_clock() -> None:
    headers = {
        "date": "Sat, 21 Nov 2026 08:00:00 GMT",
        "retry-after": "Sat, 21 Nov 2026 08:01:30 GMT",
    }
    assert retry_after(headers) == 90
    assert retry_after(headers | {"date": "Sat, 21 Nov 2026 09:00:00 GMT"}) == 0


def test_retry_after_date_falls_back_to_the_local_clock() -> None:
    seconds = retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert seconds is not None
    assert 57 < seconds <= 60
