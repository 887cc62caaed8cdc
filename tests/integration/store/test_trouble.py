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
from tests.harness.crowd import at_once
from tests.harness.waiting import wait_until
from tests.integration.store import acts
from tests.integration.store.acts import Writer
from tests.integration.store.ageing import age
from tests.integration.store.server import Server


@pytest.fixture
def frail(tmp_path: Path, settings: Settings) -> Iterator[Server]:
    """A server of the test's own, which it may mistreat; the store talks to it."""
    with closing(Server(tmp_path, "--appendonly", "yes").start()) as server:
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


@pytest.mark.parametrize("fault", [Server.kill, Server.freeze])
def test_a_redis_that_gives_no_answer_is_told_of_in_time(
    frail: Server, fault: Callable[[Server], None]
) -> None:
    """F15. Half as much again is for a busy machine."""
    caller = acts.open_session()
    acts.submit(caller)
    writer = Writer.of(caller)
    fault(frail)
    calls: list[Callable[[], object]] = [writer.finish, due.claim_due, lambda: acts.submit(caller)]
    for call in calls:
        client().unavailable_until = 0  # each call waits for itself
        assert seconds_of_refusal(call) < 1.5 * chat_settings.STORE_TIMEOUT


def test_after_a_call_in_vain_the_next_ones_fail_at_once_and_then_it_is_asked_again(
    frail: Server,
) -> None:
    """F15: in all threads, or the last in the line would wait for all before it."""
    caller = acts.open_session()
    frail.freeze()
    refused = at_once([partial(seconds_of_refusal, partial(acts.submit, caller))] * 8)
    later = at_once([partial(seconds_of_refusal, partial(acts.submit, caller))] * 50)
    assert min(refused) >= chat_settings.STORE_TIMEOUT / 2
    assert max(later) < min(refused) / 2
    frail.thaw()
    wait_until(answers)
    acts.submit(caller)


def test_a_refused_connection_is_no_reason_to_stop_asking(frail: Server) -> None:
    caller = acts.open_session()
    frail.kill()
    with pytest.raises(StoreUnavailable):
        acts.submit(caller)
    frail.start()
    acts.submit(caller)


def test_a_fault_of_our_own_is_not_taken_for_one_of_the_server(frail: Server) -> None:
    """It would be tried again and again, and shown as a 503."""
    caller = acts.open_session()
    with pytest.raises(ResponseError, match="script"):
        scripts.execute("submit", caller.session_id, caller.token_hash)
    frail.redis.set(keys.for_session(caller.session_id).events, "not a log")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        acts.submit(caller)


@pytest.mark.parametrize("word", ["BUSY", "LOADING", "MISCONF", "NOREPLICAS", "READONLY", "OOM",
                                  "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"])  # fmt: skip
def test_what_a_server_in_trouble_says_is_a_refusal(redis: Redis, word: str) -> None:
    with pytest.raises(StoreUnavailable), map_errors():
        redis.eval(f"return redis.error_reply('{word} for a reason')", 0)


def test_what_was_cut_off_by_a_freeze_can_be_sent_again(frail: Server) -> None:
    caller = acts.open_session()
    asked = acts.submission()
    turns.submit(caller, acts.submission())
    frail.freeze()
    with pytest.raises(StoreUnavailable):
        turns.submit(caller, asked)
    frail.thaw()
    wait_until(answers)
    turns.submit(caller, asked)
    assert len(acts.messages(caller)) == 4


def test_a_killed_redis_comes_back_with_everything(frail: Server) -> None:
    """F13 at the store: the worker writes on under its lease."""
    caller = acts.open_session()
    acts.submit(caller)
    writer = Writer.of(caller)
    writer.say("before ")
    frail.kill()
    assert not answers()
    frail.start()
    wait_until(answers)
    writer.finish("and after")
    assert acts.reply(caller, "msg_2")["content"] == "before and after"


def test_forgotten_scripts_are_taught_again(redis: Redis) -> None:
    """F16."""
    caller = acts.open_session()
    other = acts.open_session()
    for each in (caller, other):
        acts.submit(each)
    writers = [Writer.of(caller), Writer.of(other)]
    redis.script_flush()
    flushed = leases.flush([(writer.lease, writer.piece("text")) for writer in writers])
    assert flushed == [False, False]
    for writer in writers:
        redis.script_flush()
        writer.finish()
    redis.script_flush()
    assert due.claim_due() == []
    assert acts.reply(caller, "msg_2")["content"] == "text"


def test_a_server_that_forgets_the_scripts_before_every_command_is_served(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16: the second time within one call, too."""
    execute = ScriptConnection.execute

    def execute_after_flush(connection: ScriptConnection, commands: Sequence[Command]) -> list[Any]:
        redis.script_flush()
        return execute(connection, commands)

    monkeypatch.setattr(ScriptConnection, "execute", execute_after_flush)
    caller = acts.open_session()
    acts.submit(caller)
    writer = Writer.of(caller)
    assert leases.flush([(writer.lease, writer.piece("text"))]) == [False]
    writer.finish()
    assert acts.reply(caller, "msg_2")["content"] == "text"


def test_a_loading_redis_is_unavailable_and_then_goes_on(frail: Server) -> None:
    """F16."""
    for _ in range(200):
        caller = acts.open_session()
    frail.redis.bgrewriteaof()
    wait_until(lambda: not frail.redis.info("persistence")["aof_rewrite_in_progress"])
    frail.kill()
    frail.start("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
    with pytest.raises(StoreUnavailable) as refused:
        sessions.snapshot(caller)
    assert "loading" in str(refused.value.__cause__).lower()
    wait_until(answers)
    acts.submit(caller)


def test_a_read_only_redis_is_unavailable_and_then_goes_on(redis: Redis) -> None:
    """F16: what a client sees of a master that has become a replica."""
    caller = acts.open_session()
    acts.submit(caller)
    writer = Writer.of(caller)
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            acts.submit(caller)
        with pytest.raises(StoreUnavailable):
            writer.finish()
        with pytest.raises(StoreUnavailable):
            writer.renew()
        assert len(acts.messages(caller)) == 2
    finally:
        redis.replicaof("NO", "ONE")
    writer.renew()
    leases.finish(writer.lease, acts.ended(), Delta(offset=0, text=b""))
    assert acts.reply(caller, "msg_2")["status"] == Status.COMPLETED


def ids_of_connections(redis: Redis) -> set[int]:
    return {int(connection["id"]) for connection in redis.client_list()}


def test_connections_to_a_primary_that_has_become_a_replica_are_not_kept(redis: Redis) -> None:
    """Its name may lead to the new one by now, and what it answers is old."""
    others = ids_of_connections(redis)
    client.cache_clear()
    caller = acts.open_session()
    ping()
    ours = ids_of_connections(redis) - others
    assert ours
    redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            acts.submit(caller)
        wait_until(lambda: not ours & ids_of_connections(redis))
    finally:
        redis.replicaof("NO", "ONE")
    acts.submit(caller)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_sentinels_that_give_no_answer_are_told_of_in_time(
    frail: Server, settings: Settings, is_frozen: bool
) -> None:
    if is_frozen:
        frail.freeze()
    else:
        frail.kill()
    settings.REDIS_URL = f"sentinel://127.0.0.1:{frail.port}/0?service=parley"
    client.cache_clear()
    for act in (acts.open_session, ping):
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
    caller = acts.open_session()
    acts.submit(caller)
    acts.answer(caller)
    with full(redis):
        for act in (acts.open_session, lambda: acts.submit(caller)):
            with pytest.raises(StoreFull):
                act()
        with pytest.raises(StoreFull):
            acts.regenerate(caller, 2)
        assert len(acts.messages(caller)) == 2


def test_a_full_redis_lets_what_was_accepted_come_to_its_end(redis: Redis) -> None:
    """F17."""
    caller = acts.open_session()
    for _ in range(5):
        acts.submit(caller)
    first = Writer.of(caller)
    with full(redis):
        first.say("some ")
        first.renew()
        first.finish("text")
        Writer.of(caller).retry()
        Writer.of(caller).say("lost with its worker")
    age(redis, caller.session_id, 20)
    with full(redis):
        assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.WAKE]
        turns.cancel(caller, 6)
        Writer.of(caller).finish("second try")
        Writer.of(caller).finish("next", Status.FAILED)
        statuses = [message["status"] for message in acts.messages(caller)[1::2]]
        assert statuses == ["completed", "completed", "cancelled", "failed", "queued"]
        sessions.reset(caller)
        sessions.delete(caller)
