"""The event loop of a worker, in a thread: all turns run on it.

Celery's main thread reads the queue and handles signals. Another thread checks that nothing blocks
the loop.
"""

import asyncio
import atexit
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Seconds between two checks that the loop runs.
CHECK_INTERVAL = 0.25
# Seconds after which a blocked loop is logged: while it is, no delta is sent and no lease renewed.
BLOCKED_AFTER = 1.0
# Calls on the loop thread's stack that the log shows.
STACK_DEPTH = 4
# Seconds that the end of the process waits for the loop.
PAUSE_TIMEOUT = 1.0


class EventLoopThread:
    """Runs coroutines in its thread until the process ends."""

    def __init__(self) -> None:
        self.loop = _new_event_loop()
        self._thread = threading.Thread(target=self._run, name="turns", daemon=True)
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        # `time.monotonic()` at which the loop last ran.
        self._alive_at = time.monotonic()
        self._is_paused = threading.Event()
        # Strong references: the loop has weak ones only.
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        self._thread.start()
        self._watchdog.start()
        atexit.register(self._pause)

    def call_soon(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the loop, from another thread."""
        self.loop.call_soon_threadsafe(function, *args)

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
        """Run a coroutine on the loop and return its result, from another thread.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task, on the loop."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def spawn_critical(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task whose failure stops the worker; the process manager starts another."""
        task = self.spawn(work)
        task.add_done_callback(partial(_stop_if_failed, name))
        return task

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A task failed", exc_info=error)

    def _pause(self) -> None:
        """Stop running callbacks. One of uvloop's would crash an interpreter that has ended."""

        def wait_forever() -> None:
            self._is_paused.set()
            threading.Event().wait()

        self.call_soon(wait_forever)
        self._is_paused.wait(PAUSE_TIMEOUT)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._record_run()
        self.loop.run_forever()

    def _record_run(self) -> None:
        self._alive_at = time.monotonic()
        self.loop.call_later(CHECK_INTERVAL, self._record_run)

    def _watch(self) -> None:
        reported_at = 0.0
        while not self._is_paused.wait(CHECK_INTERVAL):
            alive_at = self._alive_at
            blocked_for = time.monotonic() - alive_at
            if blocked_for < BLOCKED_AFTER or alive_at == reported_at:
                continue
            reported_at = alive_at
            # Without a call, the machine is too busy to run the loop.
            if calls := self._blocking_calls():
                logger.error("The event loop has been blocked for %.1f s by %s", blocked_for, calls)

    def _blocking_calls(self) -> str:
        """Return the innermost calls of the loop's thread, without values."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  # the documented way
        calls = traceback.extract_stack(frame)
        start = next((i for i, call in enumerate(calls) if call.name == self._run.__name__), 0)
        inner = calls[start + 1 :][-STACK_DEPTH:]
        return " > ".join(f"{call.name} ({call.filename}:{call.lineno})" for call in inner)


def _stop_if_failed(name: str, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.critical("The %s failed; the worker stops.", name)
        os.kill(os.getpid(), signal.SIGTERM)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop, which takes 15 % less time; asyncio's where uvloop does not exist."""
    try:
        loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    except ImportError:  # on Windows and PyPy
        return asyncio.new_event_loop()
    return loop
