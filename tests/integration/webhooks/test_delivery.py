"""Webhook deliveries: attempts, results, retries, and the pool."""

import asyncio
import socket
from collections.abc import Iterator
from time import process_time

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook

from chat.domain import Caller, DeliveryRecord, DeliveryStatus
from chat.domain.errors import ForbiddenURL, InvalidRequest, MessageNotFound
from chat.store import outbox, snapshots
from chat.webhooks import delivery
from chat.webhooks.delivery_pool import DeliveryPool
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import (
    Responder,
    WebhookReceiver,
    disconnect,
    drip,
    endless,
    garbage,
    hang,
    respond,
    send_endless_interim_responses,
    send_large_head,
)
from tests.integration.store import steps
from tests.integration.worker.turns import on_loop

SECRET = "whsec_" + "S" * 32


@pytest.fixture(autouse=True)
def webhook_settings(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_SECRETS = SECRET
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.1/32"
    settings.CHAT_WEBHOOK_TIMEOUT = 10


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


def open_answered_session(url: str) -> Caller:
    """Return the caller of a session with this webhook and one finished turn."""
    caller = steps.create_session(webhook_url=b'"%b"' % url.encode())
    steps.submit(caller)
    steps.answer_next_turn(caller, "hi")
    return caller


def deliver(caller: Caller) -> DeliveryRecord:
    """Attempt the delivery of the first turn; return its record."""
    (due,) = outbox.get_many([(caller.session_id, 2)])
    on_loop(delivery.deliver(due))
    return outbox.list_deliveries(caller)[-1]


@pytest.mark.parametrize("code", [200, 202, 204])
def test_accepted_delivery_is_not_repeated(receiver: WebhookReceiver, code: int) -> None:
    receiver.default_responder = respond(code)
    caller = open_answered_session(receiver.url)
    record = deliver(caller)
    assert (record.status, record.attempts) == (DeliveryStatus.DELIVERED, 1)
    assert record.code == str(code)
    deliver(caller)
    assert len(receiver.calls) == 1


def test_call_passes_the_verification_of_the_standard(
    receiver: WebhookReceiver, settings: Settings
) -> None:
    other = "whsec_" + "T" * 32
    settings.CHAT_WEBHOOK_SECRETS = f"{other}, {SECRET}"
    deliver(open_answered_session(receiver.url + "/hook?a=b"))
    call = receiver.calls[0]
    for secret in (SECRET, other):
        assert Webhook(secret).verify(call.body, call.headers) == call.event
    assert call.path == "/hook?a=b"
    assert call.headers["content-type"] == "application/json"
    assert "cookie" not in call.headers
    assert "authorization" not in call.headers


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (respond(500), "500"),
        (respond(404), "404"),
        (respond(301, Location="/elsewhere"), "forbidden"),
        (respond(307, Location="http://169.254.169.254/"), "forbidden"),
        (respond(304), "304"),
        (garbage, "unreachable"),
        (disconnect, "unreachable"),
    ],
)
def test_failed_attempt_is_retried(receiver: WebhookReceiver, answer: Responder, code: str) -> None:
    receiver.default_responder = answer
    record = deliver(open_answered_session(receiver.url))
    assert (record.status, record.code) == (DeliveryStatus.PENDING, code)
    assert 3.9 < record.due_at - record.at < 6.1
    assert len(receiver.calls) == 1


@pytest.mark.parametrize("answer", [hang, drip])
def test_slow_receiver_times_out(
    receiver: WebhookReceiver, answer: Responder, settings: Settings
) -> None:
    settings.CHAT_WEBHOOK_TIMEOUT = 0.3
    receiver.default_responder = answer
    assert deliver(open_answered_session(receiver.url)).code == "timeout"


@pytest.mark.security("S52")
@pytest.mark.parametrize("answer", [send_endless_interim_responses, send_large_head])
def test_head_of_the_response_is_bounded(receiver: WebhookReceiver, answer: Responder) -> None:
    receiver.default_responder = answer
    started = process_time()
    assert deliver(open_answered_session(receiver.url)).code == "unreachable"
    assert process_time() - started < 1


def test_body_of_the_response_is_not_read(receiver: WebhookReceiver) -> None:
    receiver.default_responder = endless
    assert deliver(open_answered_session(receiver.url)).status is DeliveryStatus.DELIVERED


def test_unreachable_receiver_is_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert deliver(open_answered_session(f"http://127.0.0.1:{port}/")).code == "unreachable"


def test_retry_after_delays_the_next_attempt(receiver: WebhookReceiver) -> None:
    receiver.default_responder = respond(503, Retry_After="3600")
    record = deliver(open_answered_session(receiver.url))
    assert record.due_at - record.at == pytest.approx(3600)


def test_delivery_fails_after_the_maximum_attempts(
    receiver: WebhookReceiver, settings: Settings
) -> None:
    settings.CHAT_WEBHOOK_MAX_ATTEMPTS, settings.CHAT_WEBHOOK_BACKOFF = 3, 0
    receiver.default_responder = respond(500)
    caller = open_answered_session(receiver.url)
    found = [deliver(caller) for _ in range(4)]
    assert [record.status for record in found] == ["pending", "pending", "failed", "failed"]
    assert len({call.id for call in receiver.calls}) == 1
    assert len(receiver.calls) == 3
    assert outbox.claim_due() == []


def test_410_removes_the_webhook_of_the_session(receiver: WebhookReceiver) -> None:
    receiver.default_responder = respond(410)
    caller = open_answered_session(receiver.url)
    record = deliver(caller)
    assert (record.status, record.code) == (DeliveryStatus.DISABLED, "410")
    assert snapshots.read(caller).webhook_url == b"null"
    steps.submit(caller)
    steps.answer_next_turn(caller)
    assert outbox.claim_due() == []


def test_410_from_the_default_webhook_is_retried(
    receiver: WebhookReceiver, settings: Settings
) -> None:
    settings.CHAT_WEBHOOK_URL, settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = receiver.url, ""
    receiver.responders = [respond(410)]
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    assert deliver(caller).status is DeliveryStatus.PENDING


@pytest.mark.security("S31")
def test_webhook_of_a_session_cannot_reach_private_addresses(
    receiver: WebhookReceiver, settings: Settings
) -> None:
    caller = open_answered_session(receiver.url)
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = ""
    assert deliver(caller).code == "forbidden"
    assert receiver.calls == []


@pytest.mark.security("S31")
@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.2/", "http://169.254.169.254/latest", "http://[::1]/", "http://0/"),
        *("ftp://example.org/", "file:///etc/passwd", "//example.org", "x", "", "http://"),
        *("https://user:secret@example.org/", "https://example.org/\n", "https://exa mple.org/"),
    ],
)
def test_forbidden_url_is_rejected(url: str) -> None:
    with pytest.raises(ForbiddenURL) as caught:
        delivery.validate_url(url)
    assert caught.value.param == "webhook_url"


def test_webhooks_of_sessions_can_be_disabled(settings: Settings) -> None:
    assert delivery.validate_url("https://example.org/") == "https://example.org/"
    settings.CHAT_SESSION_WEBHOOKS = False
    with pytest.raises(InvalidRequest):
        delivery.validate_url("https://example.org/")
    settings.CHAT_SESSION_WEBHOOKS, settings.CHAT_WEBHOOK_SECRETS = True, ""
    with pytest.raises(InvalidRequest):
        delivery.validate_url("https://example.org/")
    assert delivery.validate_url(None) is None


def test_redelivery_sends_the_same_call(receiver: WebhookReceiver) -> None:
    caller = open_answered_session(receiver.url)
    deliver(caller)
    delivery.redeliver(caller.session_id, "msg_2")
    deliver(caller)
    first, second = receiver.calls
    assert (first.id, first.body) == (second.id, second.body)
    with pytest.raises(MessageNotFound):
        delivery.redeliver(caller.session_id, "msg_4")


def test_pool_delivers_everything_with_few_slots(
    receiver: WebhookReceiver, settings: Settings
) -> None:
    settings.CHAT_WEBHOOK_CONCURRENCY = 3
    callers = [open_answered_session(receiver.url) for _ in range(20)]

    async def run() -> None:
        pool = DeliveryPool()
        await pool.poll()
        await asyncio.to_thread(
            wait_until, lambda: all(record_of(each).attempts for each in callers)
        )
        await pool.drain(10)

    on_loop(run())
    assert {call.event["session_id"] for call in receiver.calls} == {
        each.session_id for each in callers
    }
    assert {record_of(each).status for each in callers} == {DeliveryStatus.DELIVERED}


def record_of(caller: Caller) -> DeliveryRecord:
    return outbox.list_deliveries(caller)[0]


def test_draining_pool_starts_nothing_and_obeys_its_timeout(
    receiver: WebhookReceiver, settings: Settings
) -> None:
    settings.CHAT_WEBHOOK_CONCURRENCY = 1
    receiver.default_responder = hang
    callers = [open_answered_session(receiver.url) for _ in range(2)]

    async def run() -> None:
        pool = DeliveryPool()
        pool.submit((caller.session_id, 2) for caller in callers)
        await asyncio.to_thread(receiver.wait_for, 1)
        await pool.drain(0.05)
        receiver.closing.set()
        await pool.drain(10)

    on_loop(run())
    assert len(receiver.calls) == 1
    assert [record_of(caller).attempts for caller in callers] == [1, 0]
