"""The deliveries page: deliveries of all sessions by group, including ended sessions."""

import pytest
from django.test import Client
from pytest_django import Settings
from redis import Redis

from chat.conversation import sessions, staff
from chat.domain import Caller, DeliveryGroup, DeliveryResult, DeliveryStatus
from chat.settings import chat_settings
from chat.store import due, keys, outbox
from chat.store.client import client as store_client
from chat.webhooks import delivery
from tests.harness.ports import free_port
from tests.integration.admin.costs import redis_commands, round_trips
from tests.integration.admin.sessions import open_session, post_message, session_path
from tests.integration.api import fake_worker
from tests.integration.store import steps

PAGE = "/admin/deliveries/"
RETRY = DeliveryResult(status=DeliveryStatus.PENDING, code="503", delay=3600)
DELIVERED = DeliveryResult(status=DeliveryStatus.DELIVERED, code="204")
FAILED = DeliveryResult(status=DeliveryStatus.FAILED, code="timeout")


@pytest.fixture(autouse=True)
def _webhooks(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_SECRETS = "whsec_" + "A" * 32


def webhook_session(name: str = "", *, result: DeliveryResult | None = None) -> str:
    """Return a session with a delivery that is due, or was attempted with this result."""
    session_id = open_session(name, webhook_url="https://example.org/hook")
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    if result is not None:
        deliver(session_id, result)
    return session_id


def deliver(session_id: str, result: DeliveryResult) -> None:
    delivery = steps.claim_delivery(session_id, 2, nonce="n", lease=1)
    assert delivery is not None
    assert outbox.finish(delivery, result)


def expire(*session_ids: str) -> None:
    """Expire and remove the sessions."""
    for session_id in session_ids:
        staff.expire(session_id)
    due.recover(due.claim_due(), grace=1)


def listed(client: Client, group: str) -> list[str]:
    """Return the session ids on the page, in order."""
    response = client.get(f"{PAGE}?group={group}")
    assert response.status_code == 200
    return [each["session_id"] for each in response.context["deliveries"]]


def test_pending_deliveries_are_sorted_by_next_attempt(admin: Client) -> None:
    later, now = webhook_session("<b>later</b>", result=RETRY), webhook_session("now")
    assert listed(admin, "pending") == [now, later]
    html = admin.get(PAGE).content.decode()
    for part in ("Pending 2", "Failed 0", "Delivered 0", "&lt;b&gt;later", "503", "no response yet",
                 session_path(now, "webhook")):  # fmt: skip
        assert part in html, part
    assert "<b>later" not in html


def test_finished_deliveries_are_sorted_newest_first(admin: Client) -> None:
    first, second, failed = (
        webhook_session(result=DELIVERED),
        webhook_session(result=DELIVERED),
        webhook_session(result=FAILED),
    )
    assert listed(admin, "delivered") == [second, first]
    assert listed(admin, "failed") == [failed]
    assert listed(admin, "pending") == []
    assert "timeout" in admin.get(f"{PAGE}?group=failed").content.decode()


def test_deliveries_of_ended_sessions_are_listed(admin: Client) -> None:
    waiting, failed = webhook_session("a name", result=RETRY), webhook_session(result=FAILED)
    expire(waiting, failed)
    assert (listed(admin, "pending"), listed(admin, "failed")) == ([waiting], [failed])
    html = admin.get(PAGE).content.decode()
    assert "(session ended)" in html
    assert ">a name<" not in html
    assert session_path(waiting, "webhook") not in html


def test_delivery_that_ends_after_its_session_is_listed(admin: Client) -> None:
    session_id = webhook_session()
    expire(session_id)
    deliver(session_id, FAILED)
    assert (listed(admin, "pending"), listed(admin, "failed")) == ([], [session_id])


def test_delivery_without_a_webhook_is_listed_as_failed(admin: Client) -> None:
    session_id = webhook_session()
    sessions.update(Caller.internal(session_id), {"webhook_url": None})
    assert steps.claim_delivery(session_id, 2, nonce="n", lease=1) is None
    assert listed(admin, "failed") == [session_id]
    assert "disabled" in admin.get(f"{PAGE}?group=failed").content.decode()


def test_redelivery_is_listed_in_one_state_only(admin: Client) -> None:
    session_id = webhook_session(result=FAILED)
    delivery.redeliver(session_id, "msg_2")
    assert (listed(admin, "pending"), listed(admin, "failed")) == ([session_id], [])
    deliver(session_id, DELIVERED)
    assert (listed(admin, "pending"), listed(admin, "delivered")) == ([], [session_id])


def test_deleted_session_is_not_listed(admin: Client, redis: Redis) -> None:
    deleted, kept = webhook_session(result=DELIVERED), webhook_session(result=FAILED)
    for session_id in (deleted, webhook_session(result=FAILED), webhook_session(result=RETRY)):
        staff.delete(session_id)
    assert [listed(admin, group) for group in DeliveryGroup] == [[], [kept], []]
    assert deleted not in str([redis.zrange(key, 0, -1) for key in redis.scan_iter("*delivered")])


def test_newest_finished_deliveries_are_kept_for_a_day(redis: Redis) -> None:
    session_id = webhook_session()
    delivered, _ = keys.finished_deliveries(keys.partition_of(session_id))
    redis.zadd(delivered, {f"ses_x:{n} delivered 1 200": 1 for n in range(5)})
    deliver(session_id, DELIVERED)
    assert redis.zcard(delivered) == 1  # the others ended more than a day ago
    assert 0 < redis.pttl(delivered) <= 86_400_000
    now = float(redis.zrange(delivered, 0, 0, withscores=True)[0][1])
    redis.zadd(delivered, {f"ses_x:{n} delivered 1 200": now - 1 for n in range(200)})
    delivery.redeliver(session_id, "msg_2")
    deliver(session_id, DELIVERED)
    assert redis.zcard(delivered) == 100


@pytest.mark.thorough
def test_page_costs_the_same_for_any_number_of_deliveries(
    redis: Redis, admin: Client, settings: Settings
) -> None:
    settings.CHAT_PARTITIONS = 16

    def cost_of(group: str) -> tuple[int, int]:
        path = f"{PAGE}?group={group}"
        return round_trips(admin, path), redis_commands(redis, admin, path)

    for partition in range(chat_settings.PARTITIONS):
        entries = {f"ses_{partition}_{n}:2 failed 1 200": n for n in range(100)}
        for key in (*keys.finished_deliveries(partition), keys.outbox(partition)):
            redis.zadd(key, entries)
            redis.expire(key, 60)
    before = [cost_of(group) for group in DeliveryGroup]
    assert all(trips <= 4 and executed < 350 for trips, executed in before)
    for partition in range(chat_settings.PARTITIONS):
        redis.zadd(keys.outbox(partition), {f"ses_{partition}_{n}:4": n for n in range(1000)})
    assert [cost_of(group) for group in DeliveryGroup] == before
    redis.flushall()


def test_unknown_state_is_not_found(admin: Client) -> None:
    assert admin.get(f"{PAGE}?group=lost").status_code == 404


def test_unavailable_redis_returns_503(admin: Client, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    assert admin.get(PAGE).status_code == 503
