"""Sweeps: due times, claims of due sessions, recovery."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, RecoveryResult, Status, TurnError
from chat.domain.errors import StoreUnavailable
from chat.settings import chat_settings
from chat.store import due, keys, leases, turns, workers
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import keyspace, steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance


def due_in(redis: Redis, caller: Caller) -> float:
    """Return the seconds until the session is due."""
    seconds, micros = redis.time()
    score = redis.zscore(keys.for_session(caller.session_id).due, caller.session_id)
    assert score is not None
    return score / 1000 - seconds - micros / 1e6


def test_concurrent_sweeps_return_each_session_once(redis: Redis, settings: Settings) -> None:
    settings.CHAT_SWEEP_INTERVAL = 30.0
    callers = [steps.create_session() for _ in range(30)]
    for caller in callers:
        steps.submit(caller)
        advance(redis, caller.session_id, 5)
    with ThreadPoolExecutor(8) as pool:
        found = [name for names in pool.map(lambda _: due.claim_due(), range(20)) for name in names]
    assert sorted(found) == sorted(caller.session_id for caller in callers)


def test_sweep_is_limited_to_the_batch_size(redis: Redis, settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_SWEEP_BATCH_SIZE = 10
    for _ in range(25):
        caller = steps.create_session()
        steps.submit(caller)
        advance(redis, caller.session_id, 5)
    assert [len(due.claim_due()) for _ in range(4)] == [10, 10, 5, 0]


def test_waiting_turn_expires_while_another_runs(redis: Redis) -> None:
    caller = steps.create_session()
    for deadline in (100, 60, 3, 50):
        steps.submit(caller, deadline=deadline)
    writer = LeaseHolder.claim_for(caller)
    assert due_in(redis, caller) == pytest.approx(3, abs=1)
    writer.renew()
    assert due_in(redis, caller) == pytest.approx(3, abs=1)
    advance(redis, caller.session_id, 4)
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.LIVE]
    statuses = [each["status"] for each in steps.messages(caller)[1::2]]
    assert statuses == ["in_progress", "queued", "expired", "queued"]
    writer.renew()
    assert due_in(redis, caller) == pytest.approx(10, abs=1)
    steps.submit(caller, deadline=2)
    assert due_in(redis, caller) == pytest.approx(2, abs=1)


def test_overdue_turn_fails_with_the_error_of_its_model(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller, deadline=20)
    steps.submit(caller, deadline=20)
    refused = TurnError(code="model_rate_limited", message='It said "not now".')
    leases.retry(
        LeaseHolder.claim_for(caller).lease, steps.retry(19, uses_attempt=False, error=refused)
    )
    advance(redis, caller.session_id, 21)
    due.recover(due.claim_due(), grace=2)
    first, second = steps.messages(caller)[1::2]
    assert (first["status"], first["error"]) == (Status.FAILED, asdict(refused))
    assert (first["finish_reason"], first["wait"], first["content"]) == ("error", None, "")
    assert (second["status"], second["error"]["code"]) == (Status.EXPIRED, "turn_expired")


def test_waiting_turn_expires_behind_a_retry(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller, deadline=100)
    steps.submit(caller, deadline=20)
    LeaseHolder.claim_for(caller).retry(60)
    assert due_in(redis, caller) == pytest.approx(20, abs=1)
    advance(redis, caller.session_id, 21)
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.LIVE]
    assert [each["status"] for each in steps.messages(caller)[1::2]] == ["queued", "expired"]
    assert due_in(redis, caller) == pytest.approx(39, abs=1)


def test_when_a_session_is_due(redis: Redis) -> None:
    caller = steps.create_session(ttl=600)
    assert due_in(redis, caller) == pytest.approx(600, abs=1)
    steps.submit(caller, deadline=100)
    assert due_in(redis, caller) == pytest.approx(2, abs=1)
    writer = LeaseHolder.claim_for(caller)
    assert due_in(redis, caller) == pytest.approx(10, abs=1)
    advance(redis, caller.session_id, 5)
    writer.renew()
    assert due_in(redis, caller) == pytest.approx(10, abs=1)
    writer.retry(30)
    assert due_in(redis, caller) == pytest.approx(30, abs=1)
    advance(redis, caller.session_id, 30)
    steps.answer_next_turn(caller)
    assert due_in(redis, caller) == pytest.approx(600, abs=1)


def test_retry_after_the_deadline_is_due_at_the_deadline(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller, deadline=20)
    LeaseHolder.claim_for(caller).retry(300)
    assert due_in(redis, caller) == pytest.approx(20, abs=1)
    advance(redis, caller.session_id, 10)
    assert due.recover([caller.session_id], grace=2) == [RecoveryResult.LIVE]
    assert due_in(redis, caller) == pytest.approx(10, abs=1)


def test_unclaimed_turn_gets_repeated_wake_ups(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    for _ in range(3):
        advance(redis, caller.session_id, 5)
        assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.WAKE]
    assert steps.claim(caller) is not None


def test_recovering_a_session_that_is_not_due_is_harmless(redis: Redis) -> None:
    idle, busy = steps.create_session(), steps.create_session()
    steps.submit(busy)
    writer = LeaseHolder.claim_for(busy)
    assert due.recover([idle.session_id, busy.session_id, "none"], grace=2) == [
        *(RecoveryResult.LIVE, RecoveryResult.LIVE, RecoveryResult.GONE)
    ]
    writer.finish("fine")
    assert len(keyspace.read(redis).due) == 2


@needs_one_server
def test_sweep_of_a_read_only_redis_raises(redis: Redis) -> None:
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            due.claim_due()
    finally:
        redis.replicaof("NO", "ONE")


def test_broken_session_does_not_stop_the_recovery_of_others(redis: Redis) -> None:
    broken, sound = steps.create_session(), steps.create_session()
    for caller in (broken, sound):
        steps.submit(caller)
        advance(redis, caller.session_id, 5)
    redis.hset(keys.for_session(broken.session_id).messages, "2:request", "nonsense")
    results = due.recover([broken.session_id, sound.session_id], grace=2)
    assert results == [RecoveryResult.LIVE, RecoveryResult.WAKE]


def test_cancelled_turns_do_not_count_in_queue_positions() -> None:
    caller = steps.create_session()
    for _ in range(4):
        steps.submit(caller)
    turns.cancel(caller, 4)
    places = [m["wait"]["position"] for m in steps.messages(caller) if m["status"] == "queued"]
    assert places == [0, 1, 2]


def test_heartbeat_returns_the_workers_that_are_alive(redis: Redis) -> None:
    seconds, _ = redis.time()
    for name, at in (("dead", seconds - 60), ("from before a step of the clock", seconds + 3600)):
        redis.hset(keys.workers(), name, f'{{"at":{at},"running":0}}')
    assert workers.heartbeat("a", running_turns=1) == ["a"]
    assert sorted(workers.heartbeat("b", running_turns=0)) == ["a", "b"]
    workers.unregister("a")
    assert workers.heartbeat("b", running_turns=0) == ["b"]


def test_sweep_of_some_partitions_leaves_the_others(redis: Redis) -> None:
    caller = steps.create_session()
    advance(redis, caller.session_id, 7200)
    own = keys.partition_of(caller.session_id)
    others = [each for each in range(chat_settings.PARTITIONS) if each != own]
    assert due.claim_due(others) == []
    assert due.claim_due([own]) == [caller.session_id]
