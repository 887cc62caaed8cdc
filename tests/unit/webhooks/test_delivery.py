"""Delays between attempts, and signatures."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from standardwebhooks import Webhook

from chat.webhooks.delivery import backoff
from chat.webhooks.signing import sign


@pytest.mark.parametrize(
    ("attempt", "requested", "minimum", "maximum"),
    [
        (1, None, 4, 6),
        (2, None, 16, 24),
        (3, None, 64, 96),
        (4, None, 256, 384),
        (7, None, 16384, 21600),
        (20, None, 21600, 21600),
        (1, 100, 100, 100),
        (4, 1, 256, 384),
        (1, 10**9, 21600, 21600),
    ],
)
def test_delays_grow_fourfold(
    attempt: int, requested: float | None, minimum: float, maximum: float
) -> None:
    delays = [backoff(attempt, requested) for _ in range(100)]
    assert minimum <= min(delays)
    assert max(delays) <= maximum


@given(attempt=st.integers(1, 50), requested=st.none() | st.floats(0, 1e12))
def test_delay_respects_the_request_up_to_the_maximum(
    attempt: int, requested: float | None
) -> None:
    assert min(requested or 0, 21600) <= backoff(attempt, requested) <= 21600


def test_signatures_match_the_standard_for_each_secret(settings: Settings) -> None:
    keys = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
    settings.CHAT_WEBHOOK_SECRETS = ",".join(f"whsec_{key}" for key in keys)
    body = '{"a":"ü"}'
    found = sign("ses_1_msg_2", "1700000000", body.encode()).split()
    expected = [_sign_by_standard(key, body) for key in keys]
    assert found == expected


def _sign_by_standard(key: str, body: str) -> str:
    timestamp = datetime.fromtimestamp(1_700_000_000, UTC)
    return Webhook(f"whsec_{key}").sign("ses_1_msg_2", timestamp, body)
