"""The pipelined connection of an event loop."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pytest_django import Settings
from redis import Redis

from chat.domain.errors import StoreUnavailable
from chat.settings import chat_settings
from chat.store import due, leases, workers
from chat.store.calls import Steps, run_on_loop
from chat.store.client import client
from chat.store.loop_client import close_loop_client, loop_client
from tests.integration.store import steps
from tests.integration.store.redis_server import RedisServer


@pytest.fixture
def frail(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """A separate server that the store uses and the test may kill."""
    with closing(RedisServer(tmp_path).start()) as server:
        settings.REDIS_URL = server.url
        settings.CHAT_STORE_TIMEOUT = 0.6
        settings.CHAT_PARTITIONS = 16
        client.cache_clear()
        yield server


async def is_available() -> bool:
    try:
        await due.claim_due.on_loop()
    except StoreUnavailable:
        return False
    return True


def on_loop(work: Coroutine[Any, Any, None]) -> None:
    async def run() -> None:
        try:
            await work
        finally:
            await close_loop_client()

    asyncio.run(run())


def test_cancelled_call_frees_what_it_holds() -> None:
    ended = asyncio.Event()

    def call() -> Steps[None]:
        try:
            yield [("PING",)]
        finally:
            ended.set()

    async def work() -> None:
        held = call()
        task = asyncio.create_task(run_on_loop(held))
        await asyncio.sleep(0)
        assert not ended.is_set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    on_loop(work())


def test_calls_of_one_moment_share_a_packet(redis: Redis) -> None:
    async def work() -> None:
        await loop_client().run_pipeline([("PING",)])
        reads = redis.info("stats")["total_reads_processed"]
        commands = [("ECHO", str(i)) for i in range(50)]
        replies = await asyncio.gather(*(loop_client().run_pipeline([each]) for each in commands))
        assert replies == [[str(i).encode()] for i in range(50)]
        assert redis.info("stats")["total_reads_processed"] - reads <= 3  # two are from `info`

    on_loop(work())


def test_store_calls_have_the_same_results_on_a_loop(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller)

    async def work() -> None:
        redis.script_flush()
        claim = await leases.claim.on_loop(
            caller.session_id, nonce="n", worker="w", max_tokens=8192
        )
        again = leases.claim(caller.session_id, nonce="n", worker="w", max_tokens=8192)
        assert claim is not None
        assert again is not None
        assert replace(claim, seconds_left=0) == replace(again, seconds_left=0)
        assert await due.claim_due.on_loop() == []
        await workers.heartbeat.on_loop("w", running_turns=1)
        assert [each.name for each in workers.list_workers()] == ["w"]
        await workers.unregister.on_loop("w")

    on_loop(work())


@pytest.mark.usefixtures("redis")
def test_cancelled_call_does_not_shift_replies() -> None:
    async def work() -> None:
        calls = [
            asyncio.ensure_future(loop_client().run_pipeline([("ECHO", str(i))])) for i in range(9)
        ]
        await asyncio.sleep(0)
        calls[3].cancel()
        replies = await asyncio.gather(*calls, return_exceptions=True)
        expected = [[str(i).encode()] for i in range(9) if i != 3]
        assert [reply for reply in replies if isinstance(reply, list)] == expected

    on_loop(work())


def test_lost_connection_is_replaced(redis: Redis) -> None:
    """The call in flight is repeated; nothing else fails."""

    async def work() -> None:
        (connection_id,) = await loop_client().run_pipeline([("CLIENT", "ID")])
        blocked = asyncio.ensure_future(loop_client().run_pipeline([("BLPOP", "none", "0.2")]))
        await asyncio.sleep(0.05)
        redis.client_kill_filter(_id=str(connection_id))
        assert await blocked == [None]

    on_loop(work())


def test_frozen_redis_raises_in_time_and_recovers(frail: RedisServer) -> None:
    async def work() -> None:
        await due.claim_due.on_loop()
        frail.freeze()
        started = time.monotonic()
        calls = [due.claim_due.on_loop() for _ in range(20)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, StoreUnavailable) for result in results)
        assert time.monotonic() - started < 1.5 * chat_settings.STORE_TIMEOUT
        with pytest.raises(StoreUnavailable):  # at once, during the cooldown
            await due.claim_due.on_loop()
        frail.thaw()
        client().topology.end_cooldowns()
        assert await due.claim_due.on_loop() == []

    on_loop(work())


def test_refused_connection_raises_at_once_and_recovers(frail: RedisServer) -> None:
    async def work() -> None:
        await due.claim_due.on_loop()
        frail.kill()
        with pytest.raises(StoreUnavailable):
            await due.claim_due.on_loop()
        frail.start()
        while not await is_available():  # its cooldown may have started
            pass

    on_loop(work())


def test_loop_that_was_blocked_before_the_connection_opened_recovers(settings: Settings) -> None:
    """The loop runs the due timer of the request before the task that connects."""
    settings.CHAT_STORE_TIMEOUT = 0.6

    async def run() -> bool:
        try:
            call = asyncio.ensure_future(is_available())
            await asyncio.sleep(0)
            time.sleep(chat_settings.STORE_TIMEOUT)  # noqa: ASYNC251
            await call
            return await is_available()
        finally:
            await close_loop_client()

    assert uvloop.run(run())
