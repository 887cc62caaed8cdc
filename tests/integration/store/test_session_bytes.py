"""The size of a session: its bytes are counted exactly, and its event log is limited in bytes."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, PastTurn
from chat.domain.errors import RateLimited, SessionFull
from chat.store import admin, keys, sessions, tickets, turns
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder

FIELDS = ("name", "system_prompt", "model", "context", "metadata", "webhook_url")


def field_of(redis: Any, caller: Caller, name: str) -> int:
    return int(redis.hget(keys.for_session(caller.session_id).session, name) or 0)


def stored_bytes(redis: Any, caller: Caller) -> int:
    """Return the bytes of fields, messages and saved responses."""
    own = keys.for_session(caller.session_id)
    responses = redis.hgetall(own.idempotency)
    messages = redis.hgetall(own.messages)
    return (
        sum(len(field or b"") for field in redis.hmget(own.session, FIELDS))
        + sum(len(json) for name, json in messages.items() if not name.endswith(b":request"))
        + sum(len(key) + len(response) for key, response in responses.items())
    )


def log_bytes(redis: Any, caller: Caller) -> int:
    return sum(map(len, redis.lrange(keys.for_session(caller.session_id).log, 0, -1)))


def set_prompt(caller: Caller, size: int) -> None:
    prompt = b'"' + b"x" * size + b'"'
    sessions.update(caller, b'{"system_prompt":%b}' % prompt, {"system_prompt": prompt}, None)


def rate(caller: Caller, comment: str = "", rating: str = "up") -> None:
    feedback = f'{{"rating":"{rating}","comment":"{comment}"}}'
    sessions.set_feedback(caller, 2, feedback.encode())


def act_in_all_ways(caller: Caller) -> None:
    """Add, change and remove bytes in every way in which a session can."""
    for text in ("one", "a \u20ac two", '"three"\n'):
        steps.submit(caller, text)
    steps.answer_next_turn(caller, "an answer " * 50)
    writer = LeaseHolder.claim_for(caller)
    writer.append("partial")
    writer.retry()
    steps.answer_next_turn(caller, "another")
    turns.cancel(caller, 6)
    steps.regenerate(caller, 6, key="r")
    steps.regenerate(caller, 8, key="s")
    LeaseHolder.claim_for(caller)
    set_prompt(caller, 500)
    set_prompt(caller, 20)
    rate(caller, "good")
    rate(caller, "a longer comment", "down")
    sessions.set_feedback(caller, 4, b'{"rating":"up","comment":""}')
    sessions.set_feedback(caller, 4, b"null")
    admin.redact(caller, 2, b"[redacted]")
    sessions.rotate_token(caller, caller.credential)
    turns.submit(caller, steps.submission(before=[PastTurn("a \u20ac", "b"), PastTurn("c", "")]))


@pytest.mark.security("S43")
def test_counted_bytes_are_the_stored_bytes(redis: Redis) -> None:
    caller = steps.create_session()
    act_in_all_ways(caller)
    assert field_of(redis, caller, "bytes") == stored_bytes(redis, caller)
    assert field_of(redis, caller, "log_bytes") == log_bytes(redis, caller)
    sessions.reset(caller)
    assert field_of(redis, caller, "bytes") == stored_bytes(redis, caller)
    assert field_of(redis, caller, "log_bytes") == log_bytes(redis, caller)


@pytest.mark.security("S43")
def test_event_log_is_limited_in_bytes(redis: Redis, settings: Settings) -> None:
    settings.CHAT_EVENT_LOG_BYTES = 100_000
    settings.CHAT_CHANGES_PER_MINUTE = 0
    caller = steps.create_session()
    for _ in range(60):
        set_prompt(caller, 9_000)
        assert log_bytes(redis, caller) <= 100_000
    assert log_bytes(redis, caller) == field_of(redis, caller, "log_bytes") > 50_000
    page = sessions.events(caller, after=0, limit=100)
    assert page.seq == 60
    assert page.seq - page.earliest + 1 == len(page.events)


def test_events_of_the_last_turn_are_kept_however_large(settings: Settings) -> None:
    settings.CHAT_EVENT_LOG_BYTES = 1_000
    caller = steps.create_session()
    for _ in range(2):
        steps.submit(caller, "x" * 5_000)
        steps.answer_next_turn(caller, "y" * 5_000)
    assert [event["type"] for event in steps.events(caller)] == [
        "message.queued",
        "message.started",
        "message.delta",
        "message.completed",
    ]


def test_deltas_trim_the_events_of_earlier_turns(settings: Settings) -> None:
    settings.CHAT_EVENT_LOG_BYTES = 2_000
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller, "y" * 1_000)
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    for _ in range(5):
        writer.append("z" * 500)
    types = [event["type"] for event in steps.events(caller)]
    assert types == ["message.queued", "message.started", *["message.delta"] * 5]


@pytest.mark.security("S43")
def test_changes_after_the_last_turn_do_not_extend_the_log(
    redis: Redis, settings: Settings
) -> None:
    settings.CHAT_EVENT_LOG_BYTES = 100_000
    settings.CHAT_CHANGES_PER_MINUTE = 0
    caller = steps.create_session()
    steps.submit(caller, "x" * 5_000)
    steps.answer_next_turn(caller, "y" * 5_000)
    for _ in range(20):
        set_prompt(caller, 9_000)
    assert log_bytes(redis, caller) <= 100_000


@pytest.mark.security("S43")
def test_full_session_rejects_changes_that_add_bytes(settings: Settings) -> None:
    """Changes that do not add any are accepted."""
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    settings.CHAT_MAX_SESSION_BYTES = 4_000
    for grow in (
        lambda: set_prompt(caller, 4_000),
        lambda: rate(caller, "x" * 4_000),
        lambda: steps.submit(caller, "x" * 4_000),
        lambda: sessions.reset(caller, key="k" * 4_000),
    ):
        with pytest.raises(SessionFull):
            grow()
    set_prompt(caller, 2)
    sessions.reset(caller)


CHANGES: dict[str, Callable[[Caller, int], object]] = {
    "update": lambda caller, _: set_prompt(caller, 10),
    "rotate": lambda caller, n: sessions.rotate_token(caller, f"{caller.credential}{n}"),
    "rate": lambda caller, n: rate(caller, f"comment {n}"),
    "ticket": lambda caller, n: tickets.issue_ticket(caller, f"abc{n}", ttl=30),
}


@pytest.mark.security("S43", "S54")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_are_rate_limited(
    change: Callable[[Caller, int], object], settings: Settings, redis: Redis
) -> None:
    settings.CHAT_CHANGES_PER_MINUTE = 1
    settings.CHAT_CHANGES_BURST = 2
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    set_prompt(caller, 10)
    change(caller, 1)
    if change is CHANGES["rotate"]:
        caller = Caller(session_id=caller.session_id, credential=f"{caller.credential}1")
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    with pytest.raises(RateLimited) as error:
        change(caller, 2)
    assert 0 < error.value.retry_after <= 60
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before
    change(Caller.internal(caller.session_id), 3)


def test_repeated_changes_are_not_rate_limited(settings: Settings) -> None:
    settings.CHAT_CHANGES_PER_MINUTE = 1
    settings.CHAT_CHANGES_BURST = 3
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    for _ in range(9):
        rate(caller)
        tickets.issue_ticket(caller, "abc", ttl=30)
        sessions.rotate_token(caller, caller.credential)


@pytest.mark.security("S54")
def test_event_of_feedback_has_the_rating_only() -> None:
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller, "a long answer")
    rate(caller, "a comment")
    sessions.set_feedback(caller, 2, b"null")
    rated, removed = steps.events(caller)[-2:]
    assert rated.keys() - {"created_at", "session_id", "seq"} == {"type", "message_id", "rating"}
    assert (rated["message_id"], rated["rating"]) == ("msg_2", "up")
    assert removed["rating"] is None
