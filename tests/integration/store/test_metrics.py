"""Metrics that the scripts count: turns, tokens, latencies and waiting sessions."""

from collections.abc import Callable, Mapping

import pytest
from redis import Redis

from chat.domain import Caller, Charge, DeliveryResult, DeliveryStatus, Status, Usage, UsageSource
from chat.store import admin, counters, due, keys, leases, metrics, outbox, sessions, turns
from chat.store.metrics import Histogram
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance

KINDS = ("prompt", "completion")
USAGE = Usage(prompt_tokens=7, completion_tokens=5, source=UsageSource.PROVIDER)


def test_turns_are_counted_by_outcome_model_and_tokens(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.append("some text")
    leases.finish(writer.lease, steps.outcome(usage=USAGE), writer.delta(" and more"))
    turns.cancel(caller, 4)
    found = metrics.read()
    assert found.turns == {("completed", "default"): 1, ("cancelled", ""): 1}
    assert found.tokens == {("prompt", "default"): 7, ("completion", "default"): 5}
    assert {name: each.count for name, each in found.latencies.items()} == {
        "queue": 1,  # the other turn never started
        "time_to_first_token": 1,
        "turn": 2,
    }
    assert (found.sessions, found.accepted_turns) == (1, 2)
    assert (found.queued_turns, found.running_turns) == (0, 0)


def lose_worker(redis: Redis, caller: Caller) -> None:
    advance(redis, caller.session_id, 20)
    due.recover(due.claim_due(), grace=2)


def test_tokens_count_however_the_attempt_ends(redis: Redis, caller: Caller) -> None:
    """Without usage from the vendor, the worker or else the script estimates them."""
    estimate = Usage(prompt_tokens=30, completion_tokens=4, source=UsageSource.ESTIMATED)
    endings: dict[str, Callable[[LeaseHolder], object]] = {
        "cancelled": lambda it: leases.finish(
            it.lease, steps.outcome(Status.CANCELLED, estimate), it.delta(".")
        ),
        "handed back": lambda it: leases.retry(
            it.lease, steps.retry(), charge=Charge(usage=estimate)
        ),
        "requeued": lambda _: admin.requeue(caller, grace=2),
        "lost": lambda _: lose_worker(redis, caller),
        "reset": lambda _: sessions.reset(caller),
    }
    before: Mapping[tuple[str, ...], int] = {}
    for name, end in endings.items():
        writer = LeaseHolder.claim_for(caller)
        writer.append("x" * 400)
        end(writer)
        found = metrics.read().tokens
        took = {kind: found[kind, "default"] - before.get((kind, "default"), 0) for kind in KINDS}
        if name in {"cancelled", "handed back"}:
            assert took == {"prompt": 30, "completion": 4}, name
        else:
            assert took["completion"] == 100, name
            assert took["prompt"] > 0, name
        before = found
    steps.submit(caller)
    LeaseHolder.claim_for(caller)  # it is unknown whether the model was called
    admin.expire(caller)
    assert metrics.read().tokens == before


def test_reply_ended_without_its_worker_has_usage(redis: Redis, caller: Caller) -> None:
    estimate = Usage(prompt_tokens=30, completion_tokens=4, source=UsageSource.ESTIMATED)
    endings: list[Callable[[LeaseHolder], object]] = [
        lambda it: leases.retry(it.lease, steps.retry(), charge=Charge(usage=estimate)),
        lambda _: admin.requeue(caller, grace=2),
        lambda _: lose_worker(redis, caller),
    ]
    counted = dict.fromkeys(KINDS, 0)
    for number, end in enumerate(endings, start=1):
        steps.submit(caller)
        writer = LeaseHolder.claim_for(caller)
        writer.append("x" * 400)
        turns.cancel(caller, 2 * number)
        end(writer)
        reply = steps.find_message(caller, writer.reply_id)
        assert reply["status"] == Status.CANCELLED
        usage = reply["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert usage["source"] == UsageSource.ESTIMATED
        counted = {kind: counted[kind] + usage[f"{kind}_tokens"] for kind in KINDS}
        found = metrics.read().tokens
        assert {kind: found[kind, "default"] for kind in KINDS} == counted


def test_webhook_attempts_are_counted_by_outcome() -> None:
    caller = steps.create_session(webhook_url=b'"https://example.org/"')
    for status in ("delivered", "pending", "failed"):
        steps.submit(caller)
        steps.answer_next_turn(caller)
        number = 2 * len(steps.messages(caller)) // 2
        delivery = steps.claim_delivery(caller.session_id, number, nonce="n", lease=9)
        assert delivery is not None
        outbox.finish(delivery, DeliveryResult(status=DeliveryStatus(status), code="500", delay=60))
    found = metrics.read()
    assert found.webhook_attempts == {"delivered": 1, "retried": 1, "failed": 1, "disabled": 0}
    assert found.pending_deliveries == 1


def test_last_hour_is_counted_by_the_minute(caller: Caller) -> None:
    LeaseHolder.claim_for(caller).finish("hi")
    LeaseHolder.claim_for(caller).finish(status=Status.FAILED)
    found = metrics.read()
    assert {outcome: sum(row[-2:]) for outcome, row in found.ended_by_minute.items()} == {
        "completed": 1,
        "failed": 1,
    }
    assert all(len(row) == 60 for row in found.ended_by_minute.values())
    assert found.latencies_last_hour["turn"].count == 2
    assert found.errors == {"model_error": 1}


def test_counters_older_than_an_hour_are_deleted(redis: Redis, caller: Caller) -> None:
    last_hour = keys.last_hour(counters.PARTITION)
    minute = int(metrics.read().now) // 60
    redis.hset(last_hour, mapping={f"{minute - 70}:completed": 9, f"{minute - 30}:completed": 4})
    assert sum(metrics.read().ended_by_minute["completed"]) == 4
    steps.answer_next_turn(caller)
    counters.write()
    assert set(redis.hkeys(last_hour)) >= {f"{minute - 30}:completed".encode()}
    assert f"{minute - 70}:completed".encode() not in redis.hkeys(last_hour)
    assert 3600 < redis.ttl(last_hour) <= 7200


def test_time_to_first_token_is_counted_once_per_attempt(caller: Caller) -> None:
    whole = LeaseHolder.claim_for(caller)
    whole.finish("all at once")
    in_pieces = LeaseHolder.claim_for(caller)
    for piece in ("one", "two", "three"):
        in_pieces.append(piece)
    in_pieces.retry()
    in_pieces = LeaseHolder.claim_for(caller)
    in_pieces.finish()  # without any text
    assert metrics.read().latencies["time_to_first_token"].count == 2


def test_latency_is_measured(redis: Redis, caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    advance(redis, caller.session_id, 30)
    writer.append("late")
    found = metrics.read().latencies["time_to_first_token"]
    assert 20 < (found.quantile(0.5) or 0) <= 60
    assert found.sum_seconds == pytest.approx(30, abs=5)


def test_oldest_wait_is_of_a_session_without_worker(redis: Redis, caller: Caller) -> None:
    other = steps.create_session()
    steps.submit(other)
    advance(redis, caller.session_id, 100)
    assert metrics.read().oldest_wait_seconds == pytest.approx(100, abs=5)
    writer = LeaseHolder.claim_for(caller)  # a second turn waits behind the running one
    assert metrics.read().oldest_wait_seconds < 50
    writer.finish()
    assert metrics.read().oldest_wait_seconds < 50
    turns.cancel(caller, 4)
    turns.cancel(other, 2)
    assert metrics.read().oldest_wait_seconds == 0


def test_requeued_turn_has_waited_since_its_acceptance(redis: Redis, caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    accepted = steps.find_message(caller, "msg_2")["created_at"]
    writer.retry(30)
    since = redis.zscore(keys.for_session(caller.session_id).waiting, caller.session_id)
    assert since == pytest.approx(1000 * accepted, abs=2)
    assert metrics.read().requeues == {"rate_limited": 1}


def test_lost_lease_is_counted(redis: Redis, caller: Caller) -> None:
    LeaseHolder.claim_for(caller)
    advance(redis, caller.session_id, 20)
    due.recover(due.claim_due(), grace=2)
    assert metrics.read().lost_leases == 1


def test_empty_redis_has_empty_metrics(redis: Redis) -> None:
    redis.flushall()
    found = metrics.read()
    assert (found.turns, found.ended_by_minute, found.oldest_wait_seconds) == ({}, {}, 0)
    assert found.latencies["turn"].quantile(0.99) is None


def test_quantiles_are_interpolated_within_a_bucket() -> None:
    spread = Histogram((0, 10, *[0] * 4, 10, *[0] * 10))  # ten to 10 ms, ten from 200 to 500 ms
    assert spread.quantile(0.25) == pytest.approx(0.0075)
    assert spread.quantile(0.75) == pytest.approx(0.35)
    assert spread.quantile(1) == pytest.approx(0.5)
    assert Histogram((*[0] * 16, 3)).quantile(0.5) == 900
