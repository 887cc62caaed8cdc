"""Reads of event logs."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from redis import Redis

from chat.domain import Caller, EventBatch, PastTurn
from chat.domain.errors import ParleyError
from chat.store import due, keys, sessions, snapshots, turns
from chat.store.events import EVENTS_PREFIX, Position, log_keys, parse_batch, read_logs
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance

TTL = 3600


def no_turn(_: Caller) -> None:
    pass


def queue_turn(caller: Caller) -> None:
    steps.submit(caller)


def run_turn(caller: Caller) -> None:
    steps.submit(caller)
    steps.claim(caller)


def snapshot_error(caller: Caller) -> type[ParleyError] | None:
    """Return the error of a script that includes lib/authorize.lua."""
    try:
        snapshots.read(caller)
    except ParleyError as error:
        return type(error)
    return None


def log_error(caller: Caller) -> type[ParleyError] | None:
    keys = log_keys(caller.session_id)
    (result,) = read_logs([Position(keys, caller.credential, 0, b"", is_verified=False)])
    return None if isinstance(result, EventBatch) else type(result)


def test_log_reads_and_scripts_authorize_the_same_callers(redis: Redis) -> None:
    """read_logs.lua has a copy of lib/authorize.lua."""
    errors: set[type[ParleyError] | None] = set()
    prepare: Callable[[Caller], None]
    for prepare, age, token in itertools.product(
        (no_turn, queue_turn, run_turn), (0, TTL + 1), ("its own", "wrong", "")
    ):
        owner = steps.create_session(ttl=TTL)
        prepare(owner)
        advance(redis, owner.session_id, age)
        token_hash = owner.credential if token == "its own" else token
        caller = Caller(session_id=owner.session_id, credential=token_hash)
        assert log_error(caller) == snapshot_error(caller), (prepare, age, token)
        errors.add(log_error(caller))
    missing = Caller(session_id="ses_missing", credential="")
    assert log_error(missing) == snapshot_error(missing)
    assert len(errors) == 3  # none, not found, expired


def stored_events(caller: Caller) -> list[bytes]:
    return list(sessions.events(caller, after=0, limit=1000).events)


def read_log(caller: Caller, after: int = 0) -> EventBatch:
    position = Position(log_keys(caller.session_id), "", after, b"", is_verified=False)
    (batch,) = read_logs([position])
    assert isinstance(batch, EventBatch)
    return batch


def published_events(pubsub: Any) -> list[bytes]:
    """Return the events of all messages so far."""
    events: list[bytes] = []
    while message := pubsub.get_message(timeout=0.5):
        if message["type"] == "message":
            assert message["data"].startswith(EVENTS_PREFIX)
            events += parse_batch(message["data"]).events
    return events


@needs_one_server
def test_replay_has_the_events_as_they_were_published(redis: Any) -> None:
    """Whatever has become of the messages since."""
    caller = steps.create_session(ttl=TTL)
    pubsub = redis.pubsub()
    pubsub.subscribe(keys.for_session(caller.session_id).events)
    for text in ("one", '"two" \u20ac\n', " three"):
        steps.submit(caller, text)
    writer = LeaseHolder.claim_for(caller)
    writer.append("lost")
    writer.retry()
    steps.answer_next_turn(caller, ' a "text" ')
    turns.cancel(caller, 6)
    steps.regenerate(caller, 6)
    sessions.set_feedback(caller, 2, b'{"rating":"up","comment":",\\"feedback\\":null}"}')
    LeaseHolder.claim_for(caller).append("partial")
    advance(redis, caller.session_id, 20)
    due.recover(due.claim_due(), grace=2)
    published = published_events(pubsub)
    pubsub.close()
    batch = read_log(caller)
    assert batch.events == published
    assert {orjson.loads(event)["type"].partition(".")[2] for event in published} == {
        *("queued", "started", "delta", "restarted", "completed", "cancelled", "rated")
    }


@needs_one_server
def test_turns_before_a_message_have_events(redis: Any) -> None:
    """Subscribers read them from the log."""
    caller = steps.create_session()
    before = [PastTurn('a "question"', ""), PastTurn("", "an answer")]
    pubsub = redis.pubsub()
    pubsub.subscribe(keys.for_session(caller.session_id).events)
    turns.submit(caller, steps.submission(before=before))
    assert pubsub.get_message(timeout=5)["type"] == "subscribe"
    assert pubsub.get_message(timeout=5)["data"] == b"5"
    pubsub.close()
    events = [orjson.loads(event) for event in read_log(caller).events]
    assert [(event["type"], event["message_id"], event["seq"]) for event in events] == [
        ("message.queued", "msg_2", 1),
        ("message.completed", "msg_2", 2),
        ("message.queued", "msg_4", 3),
        ("message.completed", "msg_4", 4),
        ("message.queued", "msg_6", 5),
    ]
    assert events[0]["reply"]["status"] == "queued"
    received = [event["message"] for event in events]
    assert [*received, events[4]["reply"]] == steps.messages(caller)


def add_as_older_version(redis: Any, caller: Caller, count: int) -> None:
    """Append events to the stream, as a version without the list does."""
    own = keys.for_session(caller.session_id)
    for _ in range(count):
        seq = redis.hincrby(own.session, "seq", 1)
        event = f'{{"type":"session.updated","seq":{seq},"created_at":1.5,"changes":{{}}}}'
        redis.xadd(own.events, {"event": event}, id=f"{seq}-0")
        redis.hincrby(own.session, "log_bytes", len(event))


def seqs(events: Sequence[bytes]) -> list[int]:
    return [orjson.loads(event)["seq"] for event in events]


def test_events_of_an_older_version_are_part_of_the_log(redis: Redis, caller: Caller) -> None:
    """Processes of both versions write to one session, during an upgrade."""
    own = keys.for_session(caller.session_id)
    steps.answer_next_turn(caller)
    add_as_older_version(redis, caller, 2)
    count = 7
    for after in (0, 4, 5, 6):
        assert seqs(read_log(caller, after).events) == list(range(after + 1, count + 1)), after
    assert seqs(stored_events(caller)) == list(range(1, count + 1))
    steps.answer_next_turn(caller)
    assert seqs(stored_events(caller)) == list(range(1, count + 4))
    assert redis.xlen(own.events) == 0
    assert min(redis.ttl(own.log), redis.ttl(own.events)) > 0
    add_as_older_version(redis, caller, 1)
    assert seqs(read_log(caller).events) == list(range(1, count + 5))


def test_delta_follows_the_events_of_an_older_version(redis: Redis, caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.append("one ")
    count = len(steps.events(caller))
    add_as_older_version(redis, caller, 1)
    redis.hdel(keys.for_session(caller.session_id).session, "log_start", "log_bytes")
    for text in ("two ", "three"):
        assert writer.append(text) is False  # not cancelled
    assert seqs(stored_events(caller)) == list(range(1, count + 4))
    assert orjson.loads(read_log(caller).events[-1])["delta"] == "three"


def test_log_trimmed_by_an_older_version_starts_there(redis: Redis, caller: Caller) -> None:
    own = keys.for_session(caller.session_id)
    add_as_older_version(redis, caller, 3)
    redis.xtrim(own.events, minid="4-0", approximate=False)
    redis.hset(own.session, "log_start", 3)
    for _ in range(2):
        page = sessions.events(caller, after=0)
        assert (page.earliest, seqs(page.events)) == (4, list(range(4, page.seq + 1)))
        assert read_log(caller).first_seq == 4
        steps.answer_next_turn(caller)


@pytest.mark.parametrize("open_turns", [0, 2])
def test_reset_keeps_its_own_events_only(open_turns: int) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    for _ in range(open_turns):
        steps.submit(caller)
    sessions.reset(caller)
    kinds = [orjson.loads(event)["type"] for event in stored_events(caller)]
    assert kinds == ["message.cancelled"] * open_turns + ["session.reset"]


def test_event_of_a_missing_message_is_a_gap(redis: Redis, caller: Caller) -> None:
    """An older version resets the session, and leaves the log."""
    redis.delete(keys.for_session(caller.session_id).messages)
    add_as_older_version(redis, caller, 1)
    redis.expire(keys.for_session(caller.session_id).events, 60)
    assert read_log(caller).first_seq == 3
    assert sessions.events(caller, after=0).earliest == 3
