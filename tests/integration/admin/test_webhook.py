"""The webhook page of a session, and redelivery."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from chat.domain import DeliveryResult, DeliveryStatus
from chat.store import outbox
from tests.integration.admin.sessions import open_session, post_message, session_path
from tests.integration.api import fake_worker
from tests.integration.store import steps

URL = "https://example.org/<b>hook</b>"


@pytest.fixture
def session_id(settings: Settings) -> str:
    """Return the id of a session with a pending delivery."""
    settings.CHAT_WEBHOOK_SECRETS = "whsec_" + "A" * 32
    opened = open_session(webhook_url=URL)
    post_message(opened)
    fake_worker.complete_turn(opened, "an answer")
    return opened


def webhook_page(client: Client, session_id: str) -> str:
    return client.get(session_path(session_id, "webhook")).content.decode()


def deliver(session_id: str, result: DeliveryResult) -> None:
    delivery = steps.claim_delivery(session_id, 2, nonce="n", lease=1)
    assert delivery is not None
    outbox.finish(delivery, result)


def test_pending_delivery_shows_its_last_attempt(admin: Client, session_id: str) -> None:
    assert "pending" in webhook_page(admin, session_id)
    deliver(session_id, DeliveryResult(status=DeliveryStatus.PENDING, code="503", delay=3600))
    html = webhook_page(admin, session_id)
    assert "<td>503</td>" in html
    assert "<td>1</td>" in html
    assert "&lt;b&gt;hook" in html


def test_finished_delivery_is_repeated(admin: Client, session_id: str) -> None:
    deliver(session_id, DeliveryResult(status=DeliveryStatus.DELIVERED, code="200"))
    assert "delivered" in webhook_page(admin, session_id)
    form = {"session_action": "redeliver msg_2"}
    response = admin.post(session_path(session_id, "action"), form, follow=True)
    assert response.redirect_chain[-1][0] == session_path(session_id, "webhook")
    assert outbox.claim_due() == [(session_id, 2)]
    (entry,) = LogEntry.objects.all()
    assert entry.change_message == "Scheduled another delivery of msg_2."
    response = admin.post(session_path(session_id, "action"), form, follow=True)
    assert "msg_2 is already being delivered" in response.content.decode()
    assert LogEntry.objects.count() == 1


def test_unknown_message_is_not_delivered(admin: Client, session_id: str) -> None:
    form = {"session_action": "redeliver msg_9"}
    response = admin.post(session_path(session_id, "action"), form, follow=True)
    assert "Message not found in this session" in response.content.decode()
    assert not LogEntry.objects.exists()


def test_session_without_a_webhook_has_no_deliveries(admin: Client) -> None:
    assert "No deliveries." in webhook_page(admin, open_session())
