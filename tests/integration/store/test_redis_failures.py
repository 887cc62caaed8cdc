"""Failures of Redis: down, frozen, loading, read-only, full, scripts flushed."""

import statistics
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

from chat.domain import Caller, Delta, RecoveryResult, Status
from chat.domain.errors import StoreFull, StoreUnavailable
from chat.settings import chat_settings
from chat.store import due, keys, leases, scripts, sessions, snapshots, tickets, turns
from chat.store.calls import execute
from chat.store.client import client, map_redis_errors
from chat.store.connection import ServerConnections
from chat.store.routing import Command
from chat.store.server_info import ping
from tests.harness.concurrency import run_concurrently
from tests.harness.redis_cluster import needs_one_server, servers
from tests.harness.wait import wait_until
from tests.integration.store import steps
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance


@pytest.fixture
def frail(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """A separate server that the store uses and the test may kill."""
    with closing(RedisServer(tmp_path, "--appendonly", "yes").start()) as server:
        settings.REDIS_URL = server.url
        settings.CHAT_STORE_TIMEOUT = 0.6
        client.cache_clear()
        yield server


def is_available() -> bool:
    try:
        ping()
    except StoreUnavailable:
        return False
    return True


def time_until_unavailable(operation: Callable[[], object]) -> float:
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        operation()
    return time.monotonic() - started


@pytest.mark.parametrize("fault", [RedisServer.kill, RedisServer.freeze])
def test_unreachable_redis_raises_in_time(
    frail: RedisServer, fault: Callable[[RedisServer], None]
) -> None:
    """F15. The factor 1.5 is for a busy machine."""
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    fault(frail)
    calls: list[Callable[[], object]] = [writer.finish, due.claim_due, lambda: steps.submit(caller)]
    for call in calls:
        client().topology.end_cooldowns()
        assert time_until_unavailable(call) < 1.5 * chat_settings.STORE_TIMEOUT


def test_calls_fail_at_once_during_the_cooldown(
    frail: RedisServer,
) -> None:
    """F15: in all threads; otherwise they would time out one after the other."""
    caller = steps.create_session()
    frail.freeze()
    first = run_concurrently([partial(time_until_unavailable, partial(steps.submit, caller))] * 8)
    later = run_concurrently([partial(time_until_unavailable, partial(steps.submit, caller))] * 50)
    assert min(first) >= chat_settings.STORE_TIMEOUT / 2
    # On a busy machine, a few threads start after the cooldown.
    assert statistics.median(later) < min(first) / 2
    frail.thaw()
    wait_until(is_available)
    steps.submit(caller)


def test_refused_connection_starts_no_cooldown(frail: RedisServer) -> None:
    caller = steps.create_session()
    frail.kill()
    with pytest.raises(StoreUnavailable):
        steps.submit(caller)
    frail.start()
    steps.submit(caller)


def test_programming_errors_are_not_mapped(frail: RedisServer) -> None:
    """Otherwise clients would retry them as 503."""
    caller = steps.create_session()
    with pytest.raises(ResponseError, match="script"):
        execute(scripts.script_call("submit", caller.session_id, caller.credential))
    frail.redis.set(keys.for_session(caller.session_id).log, "not a log")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        steps.submit(caller)


@pytest.mark.parametrize("word", ["BUSY", "LOADING", "MISCONF", "NOREPLICAS", "READONLY", "OOM",
                                  "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"])  # fmt: skip
def test_errors_of_an_unavailable_server_are_mapped(redis: Redis, word: str) -> None:
    with pytest.raises(StoreUnavailable), map_redis_errors():
        redis.eval(f"return redis.error_reply('{word} for a reason')", 0)


def test_request_interrupted_by_a_freeze_can_be_repeated(frail: RedisServer) -> None:
    caller = steps.create_session()
    submission = steps.submission()
    turns.submit(caller, steps.submission())
    frail.freeze()
    with pytest.raises(StoreUnavailable):
        turns.submit(caller, submission)
    frail.thaw()
    wait_until(is_available)
    turns.submit(caller, submission)
    assert len(steps.messages(caller)) == 4


def test_killed_redis_loses_nothing(frail: RedisServer) -> None:
    """F13 at the store: the worker keeps its lease."""
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    writer.append("before ")
    frail.kill()
    assert not is_available()
    frail.start()
    wait_until(is_available)
    writer.finish("and after")
    assert steps.find_message(caller, "msg_2")["content"] == "before and after"


def test_flushed_scripts_are_loaded_again(redis: Redis) -> None:
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


def test_scripts_run_though_flushed_before_every_command(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16, also between the two attempts of one call."""
    send = ServerConnections.send

    def send_after_flush(server: ServerConnections, commands: Sequence[Command]) -> Any:
        redis.script_flush()
        return send(server, commands)

    monkeypatch.setattr(ServerConnections, "send", send_after_flush)
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    assert leases.flush([(writer.lease, writer.delta("text"))]) == [False]
    writer.finish()
    assert steps.find_message(caller, "msg_2")["content"] == "text"


def test_loading_redis_is_unavailable(frail: RedisServer) -> None:
    """F16."""
    for _ in range(200):
        caller = steps.create_session()
    frail.redis.bgrewriteaof()
    wait_until(lambda: not frail.redis.info("persistence")["aof_rewrite_in_progress"])
    frail.kill()
    frail.start("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
    with pytest.raises(StoreUnavailable) as error:
        snapshots.read(caller)
    assert "loading" in str(error.value.__cause__).lower()
    wait_until(is_available)
    steps.submit(caller)


@needs_one_server
def test_read_only_redis_is_unavailable(redis: Redis) -> None:
    """F16: the client of a primary that has become a replica."""
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
    leases.finish(writer.lease, steps.outcome(), Delta(offset=0, escaped=b""))
    assert steps.find_message(caller, "msg_2")["status"] == Status.COMPLETED


def ids_of_connections(redis: Redis) -> set[int]:
    return {int(connection["id"]) for connection in redis.client_list()}


@needs_one_server
def test_connections_to_a_demoted_primary_are_closed(redis: Redis) -> None:
    """Its host name may resolve to the new primary, and its data are stale."""
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
def test_unreachable_sentinels_raise_in_time(
    frail: RedisServer, settings: Settings, is_frozen: bool
) -> None:
    if is_frozen:
        frail.freeze()
    else:
        frail.kill()
    settings.REDIS_URL = f"sentinel://127.0.0.1:{frail.port}/0?service=parley"
    client.cache_clear()
    for operation in (steps.create_session, ping):
        client().topology.end_cooldowns()
        assert time_until_unavailable(operation) < 1.5 * chat_settings.STORE_TIMEOUT


WRITES_OF_CLIENTS: dict[str, Callable[[Caller], object]] = {
    "regenerate": lambda caller: steps.regenerate(caller, 2),
    "update": lambda caller: sessions.update(caller, b"{}", {"name": b'"x"'}, None),
    "reset": sessions.reset,
    "rotate": lambda caller: sessions.rotate_token(caller, "new"),
    "rate": lambda caller: sessions.set_feedback(caller, 2, b'{"rating":"up","comment":""}'),
    "ticket": lambda caller: tickets.issue_ticket(caller, "abc", ttl=30),
}


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    """Set maxmemory to its minimum."""
    for each in servers(redis):
        each.config_set("maxmemory", 1)
    yield
    for each in servers(redis):
        each.config_set("maxmemory", 0)


def test_full_redis_rejects_new_data(redis: Redis) -> None:
    """F17."""
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    with full(redis):
        for operation in (steps.create_session, lambda: steps.submit(caller)):
            with pytest.raises(StoreFull):
                operation()
        assert len(steps.messages(caller)) == 2


@pytest.mark.security("S43")
@pytest.mark.parametrize("write", WRITES_OF_CLIENTS.values(), ids=WRITES_OF_CLIENTS)
def test_full_redis_rejects_what_adds_bytes(
    write: Callable[[Caller], object], redis: Redis
) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    steps.answer_next_turn(caller)
    with full(redis), pytest.raises(StoreFull):
        write(caller)
    write(caller)


def test_full_redis_completes_accepted_turns(redis: Redis) -> None:
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
        sessions.delete(caller)
