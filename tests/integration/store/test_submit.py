"""Submission of messages: order, limits, idempotency, interrupts."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import orjson
import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, Identity, OnBusy, PastTurn, Status
from chat.domain.errors import (
    IdempotencyMismatch,
    OwnerQueueFull,
    ParleyError,
    QueueFull,
    RateLimited,
    SessionFull,
    SessionQueueFull,
)
from chat.store import keys, sessions, turns
from chat.store.calls import run
from chat.store.queue_limit import queue_limit
from tests.harness.wait import wait_until
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder


def submit_outcome(caller: Caller, *, key: str = "") -> str:
    """Submit a message; return its id, or the code of the error."""
    try:
        accepted = turns.submit(caller, steps.submission(key=key))
    except ParleyError as error:
        return error.code
    return str(orjson.loads(accepted.message)["id"])


def submit_concurrently(count: int, caller: Caller, keys: int = 0) -> Counter[str]:
    """Submit messages in parallel with this number of different keys."""
    names = [f"key {i % keys}" if keys else "" for i in range(count)]
    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(lambda key: submit_outcome(caller, key=key), names))


def test_session_is_created_before_its_first_message(redis: Redis) -> None:
    """Also if Redis knows only the script of the message."""
    for command in (redis.script_flush, lambda: None):
        caller = steps.create_session()
        command()
        steps.submit(caller)
        new = steps.new_session()
        first = turns.submit.steps(
            Caller(session_id=new.id, credential=new.token_hash), steps.submission()
        )
        _, accepted = run(sessions.create_and(first, new))
        assert orjson.loads(accepted.reply)["status"] == Status.QUEUED


def test_200_parallel_submits_with_50_keys_are_50_messages(settings: Settings) -> None:
    """F29."""
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 50
    settings.CHAT_MESSAGES_BURST = 50
    caller = steps.create_session()
    outcomes = submit_concurrently(200, caller, keys=50)
    assert outcomes == {f"msg_{2 * turn - 1}": 4 for turn in range(1, 51)}
    assert [message["id"] for message in steps.messages(caller)] == [
        f"msg_{number}" for number in range(1, 101)
    ]
    assert [event["seq"] for event in steps.events(caller)] == list(range(1, 51))


def test_full_session_queue_rejects_without_changes(redis: Redis, settings: Settings) -> None:
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 5
    caller = steps.create_session()
    outcomes = submit_concurrently(20, caller)
    assert outcomes.pop("session_queue_full") == 15
    assert len(outcomes) == 5
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    with pytest.raises(SessionQueueFull):
        steps.submit(caller)
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_turns_before_a_message_are_added_with_it(settings: Settings) -> None:
    """Also behind a turn that runs, and once."""
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 2
    caller = steps.create_session()
    steps.submit(caller, "one")
    running = LeaseHolder.claim_for(caller)
    before = [PastTurn("two", "a reply"), PastTurn("three", "")]
    first = turns.submit(caller, steps.submission("four", key="k", before=before))
    again = turns.submit(caller, steps.submission("four", key="k", before=before))
    assert (first.message, first.reply) == (again.message, again.reply)
    assert first.queue_position == 1
    steps.submit(caller, "five")
    with pytest.raises(SessionQueueFull):
        turns.submit(caller, steps.submission("six", before=before))
    running.finish("the end")
    claimed = steps.claim(caller)
    assert claimed is not None
    assert claimed.reply_id == "msg_8"
    assert [each.content for each in claimed.history] == [
        *("one", "the end", "two", "a reply", "three", "", "four")
    ]
    assert [message["content"] for message in steps.messages(caller)][::2] == [
        *("one", "two", "three", "four", "five")
    ]


def test_many_turns_before_a_message() -> None:
    """As many as a request may have."""
    caller = steps.create_session()
    turns.submit(caller, steps.submission(before=[PastTurn("one", "")] * 2000))
    steps.answer_next_turn(caller, "an answer")
    assert steps.find_message(caller, "msg_4002")["content"] == "an answer"


@pytest.mark.security("S21")
def test_limit_of_10_accepts_exactly_10_of_60_messages(settings: Settings) -> None:
    """For one session."""
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 100
    settings.CHAT_MESSAGES_PER_MINUTE = 6
    settings.CHAT_MESSAGES_BURST = 10
    outcomes = submit_concurrently(60, steps.create_session())
    assert outcomes.pop("rate_limited") == 50
    assert len(outcomes) == 10


def test_rate_limited_message_gets_retry_after(settings: Settings) -> None:
    settings.CHAT_MESSAGES_PER_MINUTE = 6
    settings.CHAT_MESSAGES_BURST = 1
    caller = steps.create_session()
    steps.submit(caller)
    with pytest.raises(RateLimited) as error:
        steps.submit(caller)
    assert 9 < error.value.retry_after <= 10


@pytest.mark.parametrize(
    "operation",
    [
        sessions.reset,
        lambda caller: steps.regenerate(caller, 2),
    ],
    ids=["reset", "regenerate"],
)
def test_resets_and_regenerations_are_rate_limited(
    operation: Callable[[Caller], object], settings: Settings, redis: Redis
) -> None:
    """Each of them stores an idempotency key until the session ends."""
    settings.CHAT_MESSAGES_PER_MINUTE = 1
    settings.CHAT_MESSAGES_BURST = 3
    caller = steps.create_session()
    steps.submit(caller)
    operation(caller)
    operation(caller)
    with pytest.raises(RateLimited) as error:
        operation(caller)
    assert 0 < error.value.retry_after <= 60
    assert redis.hlen(keys.for_session(caller.session_id).idempotency) == 3


def test_repeated_key_is_not_rate_limited(settings: Settings) -> None:
    settings.CHAT_MESSAGES_BURST = 1
    caller = steps.create_session()
    first = turns.submit(caller, steps.submission(key="k"))
    repeated = turns.submit(caller, steps.submission(key="k"))
    assert (repeated.message, repeated.reply) == (first.message, first.reply)


def test_partition_accepts_only_its_share_of_the_queue(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_MAX_QUEUED_TURNS = 3
    for _ in range(3):
        steps.submit(steps.create_session())
    with pytest.raises(QueueFull):
        steps.submit(steps.create_session())


def test_limit_of_all_queued_turns_holds_over_partitions(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 256
    settings.CHAT_MAX_QUEUED_TURNS = 3
    queue_limit.reset()
    callers = [steps.create_session() for _ in range(3)]
    for caller in callers:
        steps.submit(caller)
    with pytest.raises(QueueFull):
        steps.submit(steps.create_session())
    LeaseHolder.claim_for(callers[0])
    wait_until(lambda: has_room(callers[0]))


def has_room(caller: Caller) -> bool:
    try:
        steps.submit(caller)
    except QueueFull:
        return False
    return True


def session_of(identity: Identity) -> Caller:
    new = replace(steps.new_session(), identity=identity)
    sessions.create(new)
    return Caller(session_id=new.id, credential=new.token_hash)


def test_turns_of_a_user_are_limited_in_all_sessions(settings: Settings, redis: Redis) -> None:
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_MAX_TURNS_PER_OWNER = 3
    user = Identity(tenant="acme", user="ada", addresses=("192.0.2.1",))
    first, second = session_of(user), session_of(user)
    for caller in (first, first, second):
        steps.submit(caller)
    LeaseHolder.claim_for(first)
    with pytest.raises(OwnerQueueFull) as error:
        steps.submit(second)
    assert error.value.retry_after > 0
    steps.submit(session_of(Identity(tenant="acme", user="bob")))
    sessions.delete(first)
    for _ in range(2):
        steps.submit(second)
    counts = keys.for_session(second.session_id).counts
    assert redis.hget(counts, f"turns:{user.owner}") == b"3"
    sessions.delete(second)
    assert redis.hget(counts, f"turns:{user.owner}") is None


def test_running_turn_does_not_count_as_queued(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_MAX_QUEUED_TURNS = 1
    caller = steps.create_session()
    steps.submit(caller)
    LeaseHolder.claim_for(caller)
    steps.submit(caller)


def test_full_session_rejects_messages(settings: Settings) -> None:
    settings.CHAT_MAX_SESSION_BYTES = 20_000
    caller = steps.create_session()
    steps.submit(caller, "\u20ac" * 2000)
    steps.answer_next_turn(caller, "x" * 7000)  # stored in the message and in its event
    with pytest.raises(SessionFull):
        steps.submit(caller, "y")


def test_key_with_another_request_is_rejected() -> None:
    caller = steps.create_session()
    turns.submit(caller, steps.submission("one", key="k", digest="1"))
    with pytest.raises(IdempotencyMismatch):
        turns.submit(caller, steps.submission("two", key="k", digest="2"))
    assert len(steps.messages(caller)) == 2


def test_key_of_another_operation_is_rejected() -> None:
    caller = steps.create_session()
    sessions.reset(caller, key="k")
    with pytest.raises(IdempotencyMismatch):
        turns.submit(caller, steps.submission(key="k"))


def test_repeated_request_gets_the_first_response() -> None:
    caller = steps.create_session()
    submission = steps.submission("hello", key="k")
    first = turns.submit(caller, submission)
    steps.answer_next_turn(caller)
    repeated = turns.submit(caller, submission)
    assert (repeated.message, repeated.reply) == (first.message, first.reply)
    assert repeated.queue_position == 0
    assert (first.needs_wake, repeated.needs_wake) == (True, False)


def test_repeated_request_sends_a_wake_up_if_needed() -> None:
    caller = steps.create_session()
    submission = steps.submission(key="k")
    turns.submit(caller, submission)
    assert turns.submit(caller, submission).needs_wake


@pytest.mark.parametrize("may_be_woken", [False, True])
def test_interrupt_of_a_retry_wakes_the_next_turn(may_be_woken: bool) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    LeaseHolder.claim_for(caller).retry(600, uses_attempt=False, may_be_woken=may_be_woken)
    steps.submit(caller)
    accepted = turns.submit(caller, steps.submission(on_busy=OnBusy.INTERRUPT))
    assert (accepted.queue_position, accepted.needs_wake) == (1, True)
    assert steps.find_message(caller, "msg_2")["status"] == Status.CANCELLED
    assert LeaseHolder.claim_for(caller).reply_id == "msg_4"


def test_interrupt_spares_turns_behind_a_cancelled_retry(caller: Caller) -> None:
    LeaseHolder.claim_for(caller).retry(600)
    turns.cancel(caller, 2)
    turns.submit(caller, steps.submission(on_busy=OnBusy.INTERRUPT))
    assert steps.find_message(caller, "msg_4")["status"] == Status.QUEUED
