"""How telling a webhook has gone, as staff see it, and having it told again."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from chat.domain import DeliveryResult, DeliveryStatus
from chat.store import outbox
from tests.integration.admin.scene import asked, opened, page
from tests.integration.api import fake_worker

URL = "https://example.org/<b>hook</b>"


@pytest.fixture
def session_id(settings: Settings) -> str:
    """Of a session whose webhook is owed a call."""
    settings.CHAT_WEBHOOK_SECRETS = "whsec_" + "A" * 32
    told = opened(webhook_url=URL)
    asked(told, "a question")
    fake_worker.complete_turn(told, "an answer")
    return told


def shown(client: Client, session_id: str) -> str:
    return client.get(page(session_id, "webhook")).content.decode()


def deliver(session_id: str, result: DeliveryResult) -> None:
    delivery = outbox.claim(session_id, 2, nonce="n", lease=1)
    assert delivery is not None
    outbox.finish(delivery, result)


def test_a_delivery_is_shown_as_it_stands(admin: Client, session_id: str) -> None:
    assert "pending" in shown(admin, session_id)
    deliver(session_id, DeliveryResult(status=DeliveryStatus.PENDING, code="503", delay=3600))
    found = shown(admin, session_id)
    assert "<td>503</td>" in found
    assert "<td>1</td>" in found
    assert "&lt;b&gt;hook" in found


def test_what_was_delivered_is_delivered_again(admin: Client, session_id: str) -> None:
    deliver(session_id, DeliveryResult(status=DeliveryStatus.DELIVERED, code="200"))
    assert "delivered" in shown(admin, session_id)
    told = {"session_action": "redeliver msg_2"}
    answer = admin.post(page(session_id, "action"), told, follow=True)
    assert answer.redirect_chain[-1][0] == page(session_id, "webhook")
    assert outbox.claim_due() == [(session_id, 2)]
    (entry,) = LogEntry.objects.all()
    assert entry.change_message == "Scheduled another delivery of msg_2."
    answer = admin.post(page(session_id, "action"), told, follow=True)
    assert "msg_2 is already being delivered" in answer.content.decode()
    assert LogEntry.objects.count() == 1


def test_what_was_never_delivered_is_not_delivered_again(admin: Client, session_id: str) -> None:
    told = {"session_action": "redeliver msg_9"}
    answer = admin.post(page(session_id, "action"), told, follow=True)
    assert "Message not found in this session" in answer.content.decode()
    assert not LogEntry.objects.exists()


def test_a_session_without_a_webhook_has_nothing_to_show(admin: Client) -> None:
    assert "No deliveries." in shown(admin, opened())
