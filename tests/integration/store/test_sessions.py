"""Sessions: expiry, deletion, reset, token rotation, and the keys that remain."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, RecoveryResult, Status
from chat.domain.errors import SessionExpired, SessionGone, SessionNotFound
from chat.store import due, keys, leases, sessions, snapshots, turns
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import keyspace, steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance

STATES = ["queued", "running", "waits for a retry"]


def create_session_in(state: str) -> tuple[Caller, LeaseHolder | None]:
    caller = steps.create_session(ttl=60)
    steps.submit(caller)
    if state == "queued":
        return caller, None
    writer = LeaseHolder.claim_for(caller)
    writer.append("text")
    if state != "running":
        writer.retry(30)
    return caller, writer


def keys_of(redis: Redis, caller: Caller) -> list[str]:
    return [key for key in keyspace.read(redis).expire_at if key.endswith(caller.session_id)]


def assert_all_operations_fail(caller: Caller, writer: LeaseHolder | None) -> None:
    """Try all operations of clients and workers on a deleted session."""
    clients: list[Callable[[], object]] = [
        lambda: steps.submit(caller),
        lambda: steps.regenerate(caller, 2),
        lambda: turns.cancel(caller, 2),
        lambda: sessions.reset(caller),
        lambda: sessions.update(caller, b"{}", {"name": b'"x"'}, 60),
        lambda: sessions.rotate_token(caller, "new"),
        lambda: sessions.touch(caller),
        lambda: sessions.delete(caller),
        lambda: snapshots.read(caller),
        lambda: sessions.page(caller, cursor=None, newer=True, limit=5),
        lambda: sessions.message(caller, 2),
        lambda: sessions.events(caller, after=0, limit=5),
    ]
    for operation in clients:
        with pytest.raises(SessionNotFound):
            operation()
    assert steps.claim(caller) is None
    assert due.recover([caller.session_id], grace=2) == [RecoveryResult.GONE]
    if writer:
        assert isinstance(writer.append("x"), SessionGone)
        assert isinstance(writer.renew(), SessionGone)
        for operation in (writer.finish, writer.retry):
            with pytest.raises(SessionGone):
                operation()


@pytest.mark.security("S41")
@pytest.mark.parametrize("state", STATES)
def test_deleted_session_leaves_no_keys(redis: Redis, state: str) -> None:
    """F28."""
    caller, writer = create_session_in(state)
    sessions.delete(caller)
    assert_all_operations_fail(caller, writer)
    contents = keyspace.read(redis)
    assert keys_of(redis, caller) == []
    assert not contents.due
    assert not contents.by_activity
    assert {name: contents.counts[name] for name in ("sessions", "waiting", "running")} == {
        "sessions": 0,
        "waiting": 0,
        "running": 0,
    }


@pytest.mark.parametrize("state", STATES)
def test_session_with_open_turns_does_not_expire(redis: Redis, state: str) -> None:
    """F28."""
    caller, _ = create_session_in(state)
    advance(redis, caller.session_id, 65)
    for _ in range(2):
        due.recover([caller.session_id], grace=2)
    assert len(steps.messages(caller)) == 2
    steps.answer_next_turn(caller, "late")
    assert steps.find_message(caller, "msg_2")["content"] == "late"
    assert snapshots.read(caller).expires_at - snapshots.read(caller).now > 55


def test_expired_idle_session_is_removed(redis: Redis) -> None:
    caller, writer = create_session_in("running")
    assert writer is not None
    writer.finish()
    advance(redis, caller.session_id, 61)
    with pytest.raises(SessionExpired):
        snapshots.read(caller)
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.EXPIRED]
    assert not keyspace.read(redis).due
    assert_all_operations_fail(caller, None)
    assert keys_of(redis, caller) == []


@needs_one_server
def test_removal_is_published(redis: Redis) -> None:
    caller = steps.create_session(ttl=60)
    untyped: Any = redis
    with untyped.pubsub() as pubsub:
        pubsub.subscribe(keys.for_session(caller.session_id).events)
        pubsub.get_message(timeout=1)
        advance(redis, caller.session_id, 61)
        due.recover(due.claim_due(), grace=2)
        message = pubsub.get_message(timeout=1)
    assert message is not None
    assert message["data"] == b"session.expired"


def test_keys_outlive_the_session_by_half_the_margin(redis: Redis) -> None:
    """TTLs are a safety net for the sweep, and are not extended by every operation."""
    caller = steps.create_session(ttl=60)
    for _ in range(20):
        steps.submit(caller)
        steps.answer_next_turn(caller)
        advance(redis, caller.session_id, 50)
        sessions.touch(caller)
        lasts = [redis.ttl(key) for key in keys_of(redis, caller)]
        assert len(lasts) == 4
        assert min(lasts) >= 43_200


def test_event_log_has_a_ttl_whatever_its_first_event(redis: Redis) -> None:
    updated, rotated, cleared = (steps.create_session() for _ in range(3))
    sessions.update(updated, b"{}", {}, None)
    sessions.rotate_token(rotated, "new")
    sessions.reset(cleared)
    for caller in (updated, rotated, cleared):
        assert redis.ttl(keys.for_session(caller.session_id).log) > 0


def test_session_lost_by_its_ttl_leaves_lists_and_gauges(redis: Redis) -> None:
    """No worker swept for days."""
    caller, _ = create_session_in("queued")
    own = keys.for_session(caller.session_id)
    redis.delete(*own[:6])
    redis.zadd(own.due, {caller.session_id: 0})
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.GONE]
    contents = keyspace.read(redis)
    assert not contents.due
    assert not contents.by_activity
    assert +contents.counts == {"accepted": 1}


def test_overdue_turn_ends_before_its_session_is_removed(redis: Redis) -> None:
    caller = steps.create_session(ttl=60)
    steps.submit(caller, deadline=90)
    advance(redis, caller.session_id, 100)
    assert steps.claim(caller) is None
    assert steps.find_message(caller, "msg_2")["status"] == Status.EXPIRED
    assert due.recover(due.claim_due(), grace=2) == []


def test_reset_ends_the_lease_of_the_running_turn() -> None:
    caller, writer = create_session_in("running")
    assert writer is not None
    sessions.reset(caller)
    assert writer.append("late") is not True
    assert steps.messages(caller) == []
    assert steps.events(caller)[-1]["type"] == "session.reset"
    accepted = steps.submit(caller)
    assert b'"id":"msg_3"' in accepted.message


def test_repeated_reset_keeps_later_messages() -> None:
    caller = steps.create_session()
    steps.submit(caller)
    sessions.reset(caller, key="k")
    steps.submit(caller)
    sessions.reset(caller, key="k")
    assert len(steps.messages(caller)) == 2


def test_repeated_rotation_returns_the_same_result(redis: Redis) -> None:
    caller = steps.create_session()
    first = sessions.rotate_token(caller, "new")
    advance(redis, caller.session_id, 9)
    sessions.touch(Caller(session_id=caller.session_id, credential="new"))
    assert first - sessions.rotate_token(caller, "new") == pytest.approx(9)
    with pytest.raises(SessionNotFound):
        sessions.touch(caller)
    assert len(steps.events(Caller.internal(caller.session_id))) == 1


def test_event_log_is_capped(settings: Settings) -> None:
    settings.CHAT_EVENT_LOG_SIZE = 100
    settings.CHAT_MESSAGES_PER_MINUTE = 0
    caller = steps.create_session()
    for _ in range(300):
        steps.submit(caller)
        steps.answer_next_turn(caller)
    page = sessions.events(caller, after=0, limit=2000)
    assert 100 <= len(page.events) < 300
    assert page.seq - page.earliest + 1 == len(page.events)


def test_event_log_keeps_all_events_of_open_turns(settings: Settings) -> None:
    settings.CHAT_EVENT_LOG_SIZE = 100
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    for _ in range(3):
        steps.submit(caller)
    for _ in range(2):
        writer = LeaseHolder.claim_for(caller)
        for _ in range(300):
            leases.flush([(writer.lease, writer.delta("some text of some length"))])
        writer.finish()
    events = sessions.events(caller, after=0, limit=2000).events
    assert b'"message_id":"msg_2"' not in events[0]
    queued = [i for i, event in enumerate(events) if b'"type":"message.queued"' in event]
    # The open turn was accepted before both others ran.
    assert len(queued) >= 1
    assert len(events) > 600
