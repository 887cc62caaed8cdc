"""The page of deliveries: of all sessions, by state, also of those that have ended."""

import pytest
from django.test import Client
from pytest_django import Settings
from redis import Redis

from chat.conversation import sessions, staff
from chat.domain import Caller, DeliveryResult, DeliveryState, DeliveryStatus
from chat.store import due, keys, outbox
from chat.store.client import client as store_client
from chat.webhooks import delivery
from tests.harness.ports import free_port
from tests.integration.admin.scene import asked, commands, cost, opened, page
from tests.integration.api import fake_worker

PAGE = "/admin/deliveries/"
LATER = DeliveryResult(status=DeliveryStatus.PENDING, code="503", delay=3600)
LANDED = DeliveryResult(status=DeliveryStatus.DELIVERED, code="204")
FAILED = DeliveryResult(status=DeliveryStatus.FAILED, code="timeout")


@pytest.fixture(autouse=True)
def _webhooks(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_SECRETS = "whsec_" + "A" * 32


def owed(name: str = "", *, to: DeliveryResult | None = None) -> str:
    """Return a session whose webhook is owed a call, or had one with this result."""
    session_id = opened(name, webhook_url="https://example.org/hook")
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    if to is not None:
        deliver(session_id, to)
    return session_id


def deliver(session_id: str, result: DeliveryResult) -> None:
    delivery = outbox.claim(session_id, 2, nonce="n", lease=1)
    assert delivery is not None
    assert outbox.finish(delivery, result)


def end(*session_ids: str) -> None:
    """Have the sessions end as if their time were up."""
    for session_id in session_ids:
        staff.expire(session_id)
    due.recover(due.claim_due(), grace=1)


def shown(client: Client, state: str) -> list[str]:
    """Return whose deliveries the page names, in order."""
    answer = client.get(f"{PAGE}?state={state}")
    assert answer.status_code == 200
    return [each["session_id"] for each in answer.context["deliveries"]]


def test_what_waits_is_named_by_the_time_of_its_next_try(admin: Client) -> None:
    later, now = owed("<b>later</b>", to=LATER), owed("now")
    assert shown(admin, "pending") == [now, later]
    html = admin.get(PAGE).content.decode()
    for part in ("Pending 2", "Failed 0", "Delivered 0", "&lt;b&gt;later", "503", "no response yet",
                 page(now, "webhook")):  # fmt: skip
        assert part in html, part
    assert "<b>later" not in html


def test_what_has_ended_is_named_the_newest_first(admin: Client) -> None:
    first, second, failed = owed(to=LANDED), owed(to=LANDED), owed(to=FAILED)
    assert shown(admin, "delivered") == [second, first]
    assert shown(admin, "failed") == [failed]
    assert shown(admin, "pending") == []
    assert "timeout" in admin.get(f"{PAGE}?state=failed").content.decode()


def test_deliveries_of_ended_sessions_are_shown_to_their_end(admin: Client) -> None:
    waits, failed = owed("a name", to=LATER), owed(to=FAILED)
    end(waits, failed)
    assert (shown(admin, "pending"), shown(admin, "failed")) == ([waits], [failed])
    html = admin.get(PAGE).content.decode()
    assert "(session ended)" in html
    assert ">a name<" not in html
    assert page(waits, "webhook") not in html


def test_a_delivery_that_ends_after_its_session_is_shown(admin: Client) -> None:
    session_id = owed()
    end(session_id)
    deliver(session_id, FAILED)
    assert (shown(admin, "pending"), shown(admin, "failed")) == ([], [session_id])


def test_what_no_webhook_wants_any_more_is_with_what_failed(admin: Client) -> None:
    session_id = owed()
    sessions.update(Caller(session_id=session_id), {"webhook_url": None})
    assert outbox.claim(session_id, 2, nonce="n", lease=1) is None
    assert shown(admin, "failed") == [session_id]
    assert "disabled" in admin.get(f"{PAGE}?state=failed").content.decode()


def test_what_is_delivered_again_stands_in_one_state_only(admin: Client) -> None:
    session_id = owed(to=FAILED)
    delivery.redeliver(session_id, "msg_2")
    assert (shown(admin, "pending"), shown(admin, "failed")) == ([session_id], [])
    deliver(session_id, LANDED)
    assert (shown(admin, "pending"), shown(admin, "delivered")) == ([], [session_id])


def test_a_deleted_session_is_named_nowhere(admin: Client, redis: Redis) -> None:
    deleted, kept = owed(to=LANDED), owed(to=FAILED)
    for session_id in (deleted, owed(to=FAILED), owed(to=LATER)):
        staff.delete(session_id)
    assert [shown(admin, state) for state in DeliveryState] == [[], [kept], []]
    assert deleted not in str([redis.zrange(key, 0, -1) for key in redis.scan_iter("*delivered")])


def test_of_what_has_ended_the_newest_are_kept_for_a_time(redis: Redis) -> None:
    session_id = owed()
    delivered, _ = keys.finished_deliveries(keys.partition(session_id))
    redis.zadd(delivered, {f"ses_x:{n} delivered 1 200": 1 for n in range(5)})
    deliver(session_id, LANDED)
    assert redis.zcard(delivered) == 1  # the others ended before the margin
    assert 0 < redis.pttl(delivered) <= 86_400_000
    now = float(redis.zrange(delivered, 0, 0, withscores=True)[0][1])
    redis.zadd(delivered, {f"ses_x:{n} delivered 1 200": now - 1 for n in range(200)})
    delivery.redeliver(session_id, "msg_2")
    deliver(session_id, LANDED)
    assert redis.zcard(delivered) == 100


def test_it_costs_the_same_however_many_there_are(redis: Redis, admin: Client) -> None:
    def cost_of(state: str) -> tuple[int, int]:
        path = f"{PAGE}?state={state}"
        return cost(admin, path), commands(redis, admin, path)

    for tag in range(16):
        entries = {f"ses_{tag}_{n}:2 failed 1 200": n for n in range(100)}
        for key in (*keys.finished_deliveries(tag), keys.outbox(tag)):
            redis.zadd(key, entries)
            redis.expire(key, 60)
    before = [cost_of(state) for state in DeliveryState]
    assert all(trips <= 4 and sent < 350 for trips, sent in before)
    for tag in range(16):
        redis.zadd(keys.outbox(tag), {f"ses_{tag}_{n}:4": n for n in range(1000)})
    assert [cost_of(state) for state in DeliveryState] == before
    redis.flushall()


def test_there_are_no_other_states(admin: Client) -> None:
    assert admin.get(f"{PAGE}?state=lost").status_code == 404


def test_a_redis_that_is_down_is_told(admin: Client, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    assert admin.get(PAGE).status_code == 503
