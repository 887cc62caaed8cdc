"""The event loop of a worker."""

import asyncio
import logging
import os
import signal
import time

import pytest

from chat.worker import event_loop
from chat.worker.event_loop import EventLoopThread
from chat.worker.turn_slots import TurnSlots
from tests.harness.wait import wait_until


@pytest.fixture
def loop_thread() -> EventLoopThread:
    started = EventLoopThread()
    started.start()
    return started


def test_log_names_the_line_that_blocks_the_loop(
    loop_thread: EventLoopThread,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(event_loop, "BLOCKED_AFTER", 0.1)

    async def block_the_loop() -> None:
        time.sleep(0.8)  # noqa: ASYNC251  # that is the fault

    loop_thread.run(block_the_loop())
    (message,) = [each for each in caplog.messages if "blocked" in each]
    assert "block_the_loop" in message
    assert "test_event_loop.py" in message


def test_failed_background_task_stops_the_worker(
    loop_thread: EventLoopThread,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: signals.append(number))

    async def fail() -> None:
        raise RuntimeError("a bug")

    async def start() -> None:
        await asyncio.wait([loop_thread.spawn_critical("sweeper", fail())])

    loop_thread.run(start())
    assert signals == [signal.SIGTERM]
    assert caplog.records[-1].levelno == logging.CRITICAL
    assert "sweeper" in caplog.messages[-1]


def test_slots_limit_the_work_in_flight(loop_thread: EventLoopThread) -> None:
    slots = TurnSlots(loop_thread, 3)
    most = ended = 0

    async def work() -> None:
        nonlocal most, ended
        most = max(most, slots.running)
        await asyncio.sleep(0.001)
        ended += 1
        raise ValueError("the next one starts anyway")

    for _ in range(50):
        loop_thread.call_soon(slots.add, work)
    wait_until(lambda: ended == 50)
    wait_until(lambda: slots.running == 0)
    assert most == 3
