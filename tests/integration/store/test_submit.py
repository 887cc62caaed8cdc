"""Taking messages in: order, limits, repeats, and what is stored of them."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, OnBusy, Status
from chat.domain.errors import (
    IdempotencyMismatch,
    ParleyError,
    QueueFull,
    RateLimited,
    SessionFull,
    SessionQueueFull,
)
from chat.store import keys, sessions, turns
from tests.integration.store import acts
from tests.integration.store.acts import Writer


def outcome_of(caller: Caller, *, key: str = "") -> str:
    """Submit; the message's id, or the code of the refusal."""
    try:
        accepted = turns.submit(caller, acts.submission(key=key))
    except ParleyError as error:
        return error.code
    return str(orjson.loads(accepted.message)["id"])


def at_once(count: int, caller: Caller, keys: int = 0) -> Counter[str]:
    """Submit so many messages in parallel, with as many keys."""
    names = [f"key {i % keys}" if keys else "" for i in range(count)]
    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(lambda key: outcome_of(caller, key=key), names))


def test_200_parallel_submits_with_50_keys_are_50_messages_in_one_order(settings: Settings) -> None:
    """F29."""
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 50
    settings.CHAT_MESSAGES_BURST = 50
    caller = acts.open_session()
    outcomes = at_once(200, caller, keys=50)
    assert outcomes == {f"msg_{2 * turn - 1}": 4 for turn in range(1, 51)}
    assert [message["id"] for message in acts.messages(caller)] == [
        f"msg_{number}" for number in range(1, 101)
    ]
    assert [event["seq"] for event in acts.events(caller)] == list(range(1, 51))


def test_beyond_a_full_inbox_nothing_changes(redis: Redis, settings: Settings) -> None:
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 5
    caller = acts.open_session()
    outcomes = at_once(20, caller)
    assert outcomes.pop("session_queue_full") == 15
    assert len(outcomes) == 5
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    with pytest.raises(SessionQueueFull):
        acts.submit(caller)
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


@pytest.mark.security("S21")
def test_a_limit_of_10_messages_lets_exactly_10_of_60_pass(settings: Settings) -> None:
    """For one session."""
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 100
    settings.CHAT_MESSAGES_PER_MINUTE = 6
    settings.CHAT_MESSAGES_BURST = 10
    outcomes = at_once(60, acts.open_session())
    assert outcomes.pop("rate_limited") == 50
    assert len(outcomes) == 10


def test_a_message_too_soon_is_told_when_the_next_one_passes(settings: Settings) -> None:
    settings.CHAT_MESSAGES_PER_MINUTE = 6
    settings.CHAT_MESSAGES_BURST = 1
    caller = acts.open_session()
    acts.submit(caller)
    with pytest.raises(RateLimited) as refused:
        acts.submit(caller)
    assert 9 < refused.value.retry_after <= 10


@pytest.mark.parametrize(
    "ask",
    [
        sessions.reset,
        lambda caller: acts.regenerate(caller, 2),
    ],
    ids=["reset", "regenerate"],
)
def test_resets_and_regenerations_are_held_to_the_pace_of_messages(
    ask: Callable[[Caller], object], settings: Settings, redis: Redis
) -> None:
    """The key of each is kept until the session ends."""
    settings.CHAT_MESSAGES_PER_MINUTE = 1
    settings.CHAT_MESSAGES_BURST = 3
    caller = acts.open_session()
    acts.submit(caller)
    ask(caller)
    ask(caller)
    with pytest.raises(RateLimited) as refused:
        ask(caller)
    assert 0 < refused.value.retry_after <= 60
    assert redis.hlen(keys.for_session(caller.session_id).idempotency) == 3


def test_a_repeated_key_is_not_held_to_the_pace(settings: Settings) -> None:
    settings.CHAT_MESSAGES_BURST = 1
    caller = acts.open_session()
    first = turns.submit(caller, acts.submission(key="k"))
    again = turns.submit(caller, acts.submission(key="k"))
    assert (again.message, again.reply) == (first.message, first.reply)


def test_a_partition_takes_in_no_more_than_its_share(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_MAX_QUEUED_TURNS = 3
    for _ in range(3):
        acts.submit(acts.open_session())
    with pytest.raises(QueueFull):
        acts.submit(acts.open_session())


def test_a_running_turn_makes_room_in_the_queue(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_MAX_QUEUED_TURNS = 1
    caller = acts.open_session()
    acts.submit(caller)
    Writer.of(caller)
    acts.submit(caller)


def test_a_session_holds_only_so_many_bytes(settings: Settings) -> None:
    settings.CHAT_MAX_SESSION_BYTES = 100
    caller = acts.open_session()
    acts.submit(caller, "\u20ac" * 20)
    acts.answer(caller, "x" * 40)
    with pytest.raises(SessionFull):
        acts.submit(caller, "y")


def test_a_key_with_another_request_is_refused() -> None:
    caller = acts.open_session()
    turns.submit(caller, acts.submission("one", key="k", digest="1"))
    with pytest.raises(IdempotencyMismatch):
        turns.submit(caller, acts.submission("two", key="k", digest="2"))
    assert len(acts.messages(caller)) == 2


def test_a_key_of_one_act_is_not_one_of_another() -> None:
    caller = acts.open_session()
    sessions.reset(caller, key="k")
    with pytest.raises(IdempotencyMismatch):
        turns.submit(caller, acts.submission(key="k"))


def test_a_repeated_request_gets_the_first_answer_though_the_turn_has_moved_on() -> None:
    caller = acts.open_session()
    asked = acts.submission("hello", key="k")
    first = turns.submit(caller, asked)
    acts.answer(caller)
    again = turns.submit(caller, asked)
    assert (again.message, again.reply, again.queue_position) == (first.message, first.reply, 0)
    assert (first.needs_wake, again.needs_wake) == (True, False)


def test_a_repeated_request_wakes_a_worker_while_none_has_come() -> None:
    caller = acts.open_session()
    asked = acts.submission(key="k")
    turns.submit(caller, asked)
    assert turns.submit(caller, asked).needs_wake


@pytest.mark.parametrize("at_the_gate", [False, True])
def test_an_interrupt_wakes_who_waited_behind_a_long_retry(at_the_gate: bool) -> None:
    caller = acts.open_session()
    acts.submit(caller)
    Writer.of(caller).retry(600, uses_attempt=False, may_be_woken=at_the_gate)
    acts.submit(caller)
    accepted = turns.submit(caller, acts.submission(on_busy=OnBusy.INTERRUPT))
    assert (accepted.queue_position, accepted.needs_wake) == (1, True)
    assert acts.reply(caller, "msg_2")["status"] == Status.CANCELLED
    assert Writer.of(caller).reply_id == "msg_4"


def test_an_interrupt_leaves_alone_what_waits_behind_a_cancelled_retry(caller: Caller) -> None:
    Writer.of(caller).retry(600)
    turns.cancel(caller, 2)
    turns.submit(caller, acts.submission(on_busy=OnBusy.INTERRUPT))
    assert acts.reply(caller, "msg_4")["status"] == Status.QUEUED
