"""The outbox: webhook deliveries from the end of a turn until they finish."""

from typing import Any

import orjson
import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import (
    Caller,
    DeliveryAttempt,
    DeliveryResult,
    DeliveryStatus,
    RecoveryResult,
    Status,
)
from chat.domain.errors import InvalidRequest, MessageNotFound
from chat.store import admin, due, keys, outbox, sessions, snapshots
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance

URL = b'"https://example.org/hook"'
OK = DeliveryResult(status=DeliveryStatus.DELIVERED, code="200")
GONE = DeliveryResult(status=DeliveryStatus.DISABLED, code="410")


@pytest.fixture
def caller() -> Caller:
    """The caller of a session with a webhook and two waiting turns."""
    opened = steps.create_session(webhook_url=URL)
    steps.submit(opened, "one")
    steps.submit(opened, "two")
    return opened


def claim(caller: Caller, number: int = 2, *, nonce: str = "n", lease: float = 30) -> Any:
    return steps.claim_delivery(caller.session_id, number, nonce=nonce, lease=lease)


def claimed(caller: Caller, number: int = 2, *, nonce: str = "n") -> DeliveryAttempt:
    delivery = claim(caller, number, nonce=nonce)
    assert isinstance(delivery, DeliveryAttempt)
    return delivery


def later(seconds: float) -> DeliveryResult:
    return DeliveryResult(status=DeliveryStatus.PENDING, code="503", delay=seconds)


def url_of(caller: Caller) -> bytes:
    return snapshots.read(caller).webhook_url


def test_delivery_has_the_event_of_the_log(caller: Caller) -> None:
    steps.answer_next_turn(caller, 'said "so"')
    assert outbox.claim_due() == [(caller.session_id, 2)]
    delivery = claimed(caller)
    page = sessions.events(caller, after=0, limit=100)
    assert delivery.event == page.events[-1]
    assert (delivery.url, delivery.attempt) == ("https://example.org/hook", 1)


@pytest.mark.parametrize("status", [Status.INCOMPLETE, Status.FAILED, Status.CANCELLED])
def test_every_outcome_is_delivered(caller: Caller, status: Status) -> None:
    LeaseHolder.claim_for(caller).finish("some", status)
    event = orjson.loads(claimed(caller).event)
    assert (event["type"], event["message"]["status"]) == (f"message.{status}", status)


def test_no_delivery_without_a_webhook(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    assert outbox.claim_due() == []
    assert not redis.exists(keys.for_session(caller.session_id).deliveries)


def test_deployment_webhook_gets_sessions_without_their_own(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_SECRETS, settings.CHAT_WEBHOOK_URL = "whsec_", "http://inside"
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    assert claimed(caller).url is None


def test_successful_delivery_leaves_the_outbox(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    assert outbox.finish(claimed(caller), OK)
    assert outbox.claim_due() == []
    assert claim(caller, nonce="late") is None
    record = outbox.list_deliveries(caller)[0]
    assert (record.status, record.attempts, record.code) == (DeliveryStatus.DELIVERED, 1, "200")


def test_one_attempt_at_a_time(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    first = claimed(caller)
    assert claim(caller, nonce="other") is None
    assert claimed(caller) == first or claimed(caller).attempt == first.attempt


def test_attempt_that_timed_out_is_ignored(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    slow = claim(caller, nonce="slow", lease=0)
    second = claimed(caller, nonce="second")
    assert (slow.attempt, second.attempt) == (1, 2)
    assert not outbox.finish(slow, GONE)
    assert outbox.finish(second, OK)
    assert url_of(caller) == URL


def test_failed_attempt_is_retried_after_its_delay(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller), later(1000))
    assert claim(caller, nonce="early") is None
    assert outbox.list_deliveries(caller)[0].due_at > outbox.list_deliveries(caller)[0].at + 999
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller, 4), later(0))
    assert claimed(caller, 4, nonce="again").attempt == 2


def test_repeated_finish_of_an_attempt_is_stale(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    delivery = claimed(caller)
    assert outbox.finish(delivery, later(1000))
    assert not outbox.finish(delivery, later(1000))


def test_disabled_webhook_gets_no_more_deliveries(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller), GONE)
    assert url_of(caller) == b"null"
    assert steps.events(caller)[-1]["changes"] == {"webhook_url": None}
    assert claim(caller, 4) is None
    statuses = [record.status for record in outbox.list_deliveries(caller)]
    assert statuses == [DeliveryStatus.DISABLED, DeliveryStatus.DISABLED]


def test_changed_webhook_is_not_disabled(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    delivery = claimed(caller)
    sessions.update(caller, b"{}", {"webhook_url": b'"https://example.org/new"'}, None)
    outbox.finish(delivery, GONE)
    assert url_of(caller) == b'"https://example.org/new"'


def test_pending_delivery_uses_the_current_webhook(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    sessions.update(caller, b"{}", {"webhook_url": b'"https://example.org/new"'}, None)
    assert claimed(caller).url == "https://example.org/new"


def test_pending_delivery_outlives_the_session(caller: Caller, redis: Redis) -> None:
    steps.answer_next_turn(caller, "the last words")
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller, 4), OK)
    advance(redis, caller.session_id, 10_000)
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.EXPIRED]
    delivery = claimed(caller)
    assert orjson.loads(delivery.event)["message"]["content"] == "the last words"
    assert delivery.url == "https://example.org/hook"
    outbox.finish(delivery, OK)
    assert list(redis.scan_iter(f"*{caller.session_id}*")) == []
    assert not redis.exists(keys.for_session(caller.session_id).outbox)


def test_webhook_of_an_ended_session_can_be_disabled(caller: Caller, redis: Redis) -> None:
    steps.answer_next_turn(caller)
    steps.answer_next_turn(caller)
    advance(redis, caller.session_id, 10_000)
    due.recover(due.claim_due(), grace=2)
    outbox.finish(claimed(caller), GONE)
    assert claim(caller, 4) is None
    assert outbox.claim_due() == []


def test_pending_delivery_outlives_a_reset(caller: Caller) -> None:
    steps.answer_next_turn(caller, "before")
    sessions.reset(caller)
    event = orjson.loads(claimed(caller).event)
    assert event["message"]["content"] == "before"
    cancelled = orjson.loads(claimed(caller, 4).event)
    assert cancelled["type"] == "message.cancelled"


def test_deleting_a_session_deletes_its_deliveries(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    sessions.delete(caller)
    assert outbox.claim_due() == []
    assert claim(caller) is None


def test_redacted_text_is_not_delivered(caller: Caller) -> None:
    steps.answer_next_turn(caller, "a secret")
    admin.redact(caller, 2, b"[redacted]")
    assert orjson.loads(claimed(caller).event)["message"]["content"] == "[redacted]"


def test_feedback_does_not_change_the_seq_of_a_delivery(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    before = orjson.loads(claimed(caller).event)
    sessions.set_feedback(caller, 2, b'{"rating":"up","comment":""}')
    after = orjson.loads(claimed(caller).event)
    assert (before["type"], before["seq"]) == (after["type"], after["seq"])
    assert after["message"]["feedback"]["rating"] == "up"


def test_delivery_to_a_changed_webhook_is_not_claimed(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    (due,) = outbox.get_many([(caller.session_id, 2)])
    sessions.update(caller, b"{}", {"webhook_url": b'"https://example.org/new"'}, None)
    assert outbox.claim(due, nonce="n", lease=30) is None
    assert claimed(caller).attempt == 1


def test_postponed_delivery_is_not_due_until_then(caller: Caller, redis: Redis) -> None:
    steps.answer_next_turn(caller)
    due = outbox.get_many([(caller.session_id, 2), (caller.session_id, 4)])
    for _ in range(2):
        outbox.postpone(due, 1000)
    assert outbox.claim_due() == []
    assert redis.zcard(keys.for_session(caller.session_id).outbox) == 1


def test_finished_delivery_can_be_retried(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller), OK)
    assert outbox.retry(caller, 2)
    assert not outbox.retry(caller, 2)  # an attempt is due
    assert outbox.claim_due() == [(caller.session_id, 2)]
    assert claimed(caller, nonce="again").attempt == 1
    assert not outbox.retry(caller, 2)  # an attempt is in progress
    with pytest.raises(MessageNotFound):
        outbox.retry(caller, 4)


def test_waiting_delivery_can_be_retried_at_once(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller), later(60))
    assert claim(caller) is None
    assert outbox.retry(caller, 2)
    assert claimed(caller, nonce="again").attempt == 1


def test_delivery_without_a_webhook_cannot_be_retried(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    outbox.finish(claimed(caller), OK)
    sessions.update(caller, b"{}", {"webhook_url": b"null"}, None)
    with pytest.raises(InvalidRequest):
        outbox.retry(caller, 2)
    assert outbox.claim_due() == []


def test_newest_100_deliveries_are_kept(caller: Caller, settings: Settings) -> None:
    settings.CHAT_MESSAGES_PER_MINUTE = 0
    for _ in range(2):
        steps.answer_next_turn(caller)
    for _ in range(100):
        steps.submit(caller)
        steps.answer_next_turn(caller)
    assert [record.number for record in outbox.list_deliveries(caller)] == list(range(204, 4, -2))
    assert len(outbox.claim_due()) == 100


def test_deliveries_have_a_ttl(caller: Caller, redis: Redis) -> None:
    steps.answer_next_turn(caller)
    own = keys.for_session(caller.session_id)
    assert 0 < redis.pttl(own.deliveries) <= 86_400_000
    redis.delete(own.deliveries)
    assert claim(caller) is None
    assert outbox.claim_due() == []


def test_due_delivery_is_claimed_once(caller: Caller) -> None:
    steps.answer_next_turn(caller)
    assert outbox.claim_due() == [(caller.session_id, 2)]
    assert outbox.claim_due() == []
