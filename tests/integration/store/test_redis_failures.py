"""A Redis that is down, frozen, loading, read-only, full, or has forgotten the scripts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis
from redis.exceptions import ResponseError

from chat.domain import Delta, RecoveryResult, Status
from chat.domain.errors import StoreFull, StoreUnavailable
from chat.settings import chat_settings
from chat.store import due, keys, leases, scripts, sessions, turns
from chat.store.client import client, map_errors, ping
from chat.store.connection import Command, ScriptConnection
from tests.harness.concurrency import run_concurrently
from tests.harness.wait import wait_until
from tests.integration.store import steps
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance


@pytest.fixture
def frail(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """A server of the test's own, which it may mistreat; the store talks to it."""
    with closing(RedisServer(tmp_path, "--appendonly", "yes").start()) as server:
        settings.REDIS_URL = server.url
        settings.CHAT_STORE_TIMEOUT = 0.6
        client.cache_clear()
        yield server


def answers() -> bool:
    try:
        ping()
    except StoreUnavailable:
        return False
    return True


def seconds_of_refusal(act: Callable[[], object]) -> float:
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        act()
    return time.monotonic() - started


@pytest.mark.parametrize("fault", [RedisServer.kill, RedisServer.freeze])
def test_a_redis_that_gives_no_answer_is_told_of_in_time(
    frail: RedisServer, fault: Callable[[RedisServer], None]
) -> None:
    """F15. Half as much again is for a busy machine."""
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    fault(frail)
    calls: list[Callable[[], object]] = [writer.finish, due.claim_due, lambda: steps.submit(caller)]
    for call in calls:
        client().unavailable_until = 0  # each call waits for itself
        assert seconds_of_refusal(call) < 1.5 * chat_settings.STORE_TIMEOUT


def test_after_a_call_in_vain_the_next_ones_fail_at_once_and_then_it_is_asked_again(
    frail: RedisServer,
) -> None:
    """F15: in all threads, or the last in the line would wait for all before it."""
    caller = steps.create_session()
    frail.freeze()
    refused = run_concurrently([partial(seconds_of_refusal, partial(steps.submit, caller))] * 8)
    later = run_concurrently([partial(seconds_of_refusal, partial(steps.submit, caller))] * 50)
    assert min(refused) >= chat_settings.STORE_TIMEOUT / 2
    assert max(later) < min(refused) / 2
    frail.thaw()
    wait_until(answers)
    steps.submit(caller)


def test_a_refused_connection_is_no_reason_to_stop_asking(frail: RedisServer) -> None:
    caller = steps.create_session()
    frail.kill()
    with pytest.raises(StoreUnavailable):
        steps.submit(caller)
    frail.start()
    steps.submit(caller)


def test_a_fault_of_our_own_is_not_taken_for_one_of_the_server(frail: RedisServer) -> None:
    """It would be tried again and again, and shown as a 503."""
    caller = steps.create_session()
    with pytest.raises(ResponseError, match="script"):
        scripts.execute("submit", caller.session_id, caller.token_hash)
    frail.redis.set(keys.for_session(caller.session_id).events, "not a log")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        steps.submit(caller)


@pytest.mark.parametrize("word", ["BUSY", "LOADING", "MISCONF", "NOREPLICAS", "READONLY", "OOM",
                                  "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"])  # fmt: skip
def test_what_a_server_in_trouble_says_is_a_refusal(redis: Redis, word: str) -> None:
    with pytest.raises(StoreUnavailable), map_errors():
        redis.eval(f"return redis.error_reply('{word} for a reason')", 0)


def test_what_was_cut_off_by_a_freeze_can_be_sent_again(frail: RedisServer) -> None:
    caller = steps.create_session()
    asked = steps.submission()
    turns.submit(caller, steps.submission())
    frail.freeze()
    with pytest.raises(StoreUnavailable):
        turns.submit(caller, asked)
    frail.thaw()
    wait_until(answers)
    turns.submit(caller, asked)
    assert len(steps.messages(caller)) == 4


def test_a_killed_redis_comes_back_with_everything(frail: RedisServer) -> None:
    """F13 at the store: the worker writes on under its lease."""
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    writer.append("before ")
    frail.kill()
    assert not answers()
    frail.start()
    wait_until(answers)
    writer.finish("and after")
    assert steps.find_message(caller, "msg_2")["content"] == "before and after"


def test_forgotten_scripts_are_taught_again(redis: Redis) -> None:
    """F16."""
    caller = steps.create_session()
    other = steps.create_session()
    for each in (caller, other):
        steps.submit(each)
    writers = [LeaseHolder.claim_for(caller), LeaseHolder.claim_for(other)]
    redis.script_flush()
    flushed = leases.flush([(writer.lease, writer.delta("text")) for writer in writers])
    assert flushed == [False, False]
    for writer in writers:
        redis.script_flush()
        writer.finish()
    redis.script_flush()
    assert due.claim_due() == []
    assert steps.find_message(caller, "msg_2")["content"] == "text"


def test_a_server_that_forgets_the_scripts_before_every_command_is_served(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16: the second time within one call, too."""
    execute = ScriptConnection.execute

    def execute_after_flush(connection: ScriptConnection, commands: Sequence[Command]) -> list[Any]:
        redis.script_flush()
        return execute(connection, commands)

    monkeypatch.setattr(ScriptConnection, "execute", execute_after_flush)
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    assert leases.flush([(writer.lease, writer.delta("text"))]) == [False]
    writer.finish()
    assert steps.find_message(caller, "msg_2")["content"] == "text"


def test_a_loading_redis_is_unavailable_and_then_goes_on(frail: RedisServer) -> None:
    """F16."""
    for _ in range(200):
        caller = steps.create_session()
    frail.redis.bgrewriteaof()
    wait_until(lambda: not frail.redis.info("persistence")["aof_rewrite_in_progress"])
    frail.kill()
    frail.start("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
    with pytest.raises(StoreUnavailable) as refused:
        sessions.snapshot(caller)
    assert "loading" in str(refused.value.__cause__).lower()
    wait_until(answers)
    steps.submit(caller)


def test_a_read_only_redis_is_unavailable_and_then_goes_on(redis: Redis) -> None:
    """F16: what a client sees of a master that has become a replica."""
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            steps.submit(caller)
        with pytest.raises(StoreUnavailable):
            writer.finish()
        with pytest.raises(StoreUnavailable):
            writer.renew()
        assert len(steps.messages(caller)) == 2
    finally:
        redis.replicaof("NO", "ONE")
    writer.renew()
    leases.finish(writer.lease, steps.outcome(), Delta(offset=0, text=b""))
    assert steps.find_message(caller, "msg_2")["status"] == Status.COMPLETED


def ids_of_connections(redis: Redis) -> set[int]:
    return {int(connection["id"]) for connection in redis.client_list()}


def test_connections_to_a_primary_that_has_become_a_replica_are_not_kept(redis: Redis) -> None:
    """Its name may lead to the new one by now, and what it answers is old."""
    others = ids_of_connections(redis)
    client.cache_clear()
    caller = steps.create_session()
    ping()
    ours = ids_of_connections(redis) - others
    assert ours
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            steps.submit(caller)
        wait_until(lambda: not ours & ids_of_connections(redis))
    finally:
        redis.replicaof("NO", "ONE")
    steps.submit(caller)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_sentinels_that_give_no_answer_are_told_of_in_time(
    frail: RedisServer, settings: Settings, is_frozen: bool
) -> None:
    if is_frozen:
        frail.freeze()
    else:
        frail.kill()
    settings.REDIS_URL = f"sentinel://127.0.0.1:{frail.port}/0?service=parley"
    client.cache_clear()
    for act in (steps.create_session, ping):
        client().unavailable_until = 0
        assert seconds_of_refusal(act) < 1.5 * chat_settings.STORE_TIMEOUT


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    """Have no memory left."""
    redis.config_set("maxmemory", 1)
    yield
    redis.config_set("maxmemory", 0)


def test_a_full_redis_refuses_what_is_new(redis: Redis) -> None:
    """F17."""
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    with full(redis):
        for act in (steps.create_session, lambda: steps.submit(caller)):
            with pytest.raises(StoreFull):
                act()
        with pytest.raises(StoreFull):
            steps.regenerate(caller, 2)
        assert len(steps.messages(caller)) == 2


def test_a_full_redis_lets_what_was_accepted_come_to_its_end(redis: Redis) -> None:
    """F17."""
    caller = steps.create_session()
    for _ in range(5):
        steps.submit(caller)
    first = LeaseHolder.claim_for(caller)
    with full(redis):
        first.append("some ")
        first.renew()
        first.finish("text")
        LeaseHolder.claim_for(caller).retry()
        LeaseHolder.claim_for(caller).append("lost with its worker")
    advance(redis, caller.session_id, 20)
    with full(redis):
        assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.WAKE]
        turns.cancel(caller, 6)
        LeaseHolder.claim_for(caller).finish("second try")
        LeaseHolder.claim_for(caller).finish("next", Status.FAILED)
        statuses = [message["status"] for message in steps.messages(caller)[1::2]]
        assert statuses == ["completed", "completed", "cancelled", "failed", "queued"]
        sessions.reset(caller)
        sessions.delete(caller)
