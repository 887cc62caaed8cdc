"""Backoff and signatures."""

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
    ("attempt", "asked", "least", "most"),
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
def test_waits_grow_fourfold(attempt: int, asked: float | None, least: float, most: float) -> None:
    waits = [backoff(attempt, asked) for _ in range(100)]
    assert least <= min(waits)
    assert max(waits) <= most


@given(attempt=st.integers(1, 50), asked=st.none() | st.floats(0, 1e12))
def test_no_wait_is_shorter_than_asked_or_longer_than_the_longest(
    attempt: int, asked: float | None
) -> None:
    assert min(asked or 0, 21600) <= backoff(attempt, asked) <= 21600


def test_a_signature_is_the_standards_for_each_secret(settings: Settings) -> None:
    keys = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
    settings.CHAT_WEBHOOK_SECRETS = ",".join(f"whsec_{key}" for key in keys)
    body = '{"a":"ü"}'
    found = sign("ses_1_msg_2", "1700000000", body.encode()).split()
    from_standard = [_standard(key, body) for key in keys]
    assert found == from_standard


def _standard(key: str, body: str) -> str:
    moment = datetime.fromtimestamp(1_700_000_000, UTC)
    return Webhook(f"whsec_{key}").sign("ses_1_msg_2", moment, body)
