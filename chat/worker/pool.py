"""Celery's pool of a worker: turns are tasks of one event loop, which has its own thread.

`worker_pool` in project/celery_settings.py names it. `--concurrency` limits the turns in flight.
"""

import math
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from celery.concurrency.base import BasePool
from celery.worker.state import reserved_requests

from chat import broker
from chat.http.client import close_connections
from chat.settings import chat_settings
from chat.store.loop_client import close_loop_client
from chat.worker.active_turns import FINAL_WRITE_TIMEOUT, active_turns
from chat.worker.event_loop import EventLoopThread
from chat.worker.task_request import request_log
from chat.worker.turn_slots import TurnSlots, Work
from chat.worker.wake_ups import wake_ups

# Seconds between iterations of Celery's main loop while nothing else causes one. Without them, an
# idle worker would notice SIGTERM seconds later.
POLL_INTERVAL = 0.25
# Seconds between checks whether all turns have ended.
DRAIN_INTERVAL = 0.02


class TurnPool(BasePool):
    """Runs turns. Celery's main thread calls the methods without an underscore."""

    event_loop: EventLoopThread
    slots: TurnSlots

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # `time.monotonic()` until which a stopping pool lets its turns run.
        self._drain_until = math.inf
        # And until which it lets them write their outcomes.
        self._give_up_at = math.inf

    def on_start(self) -> None:
        self.event_loop = EventLoopThread()
        self.slots = TurnSlots(self.event_loop, self.limit)
        self.event_loop.start()
        broker.limit_batches(lambda: self.limit - len(reserved_requests))

    def register_with_event_loop(self, loop: Any) -> None:
        """Let Celery's main loop iterate. It forgets its timers when it loses the broker."""
        loop.call_repeatedly(POLL_INTERVAL, request_log.apply)

    def run_own_turns(self, run: Callable[..., Coroutine[Any, Any, None]]) -> None:
        """Let this process run turns without a message; `run` runs the next turn of a session."""

        def run_here(session_id: str) -> bool:
            if self.slots.has_room:
                self.slots.add(partial(run, session_id=session_id))
                return True
            return False

        wake_ups.use_slots(run_here)

    def submit(self, work: Work) -> None:
        """Run the work as soon as a slot is free."""
        self.event_loop.call_soon(self.slots.add, work)

    def drain(self, seconds: float) -> None:
        """Claim no more turns, wait up to `seconds` for those in flight, and requeue the rest.

        A signal handler may call this again, and shorten the wait of the first call.
        """
        active_turns.is_draining = True
        self._drain_until = min(self._drain_until, time.monotonic() + seconds)
        self._wait(lambda: self._drain_until)
        if self._give_up_at == math.inf:
            self._give_up_at = time.monotonic() + FINAL_WRITE_TIMEOUT + chat_settings.STORE_TIMEOUT
            self.event_loop.call_soon(active_turns.stop_all)
        self._wait(lambda: self._give_up_at)

    def on_stop(self) -> None:
        self.drain(chat_settings.DRAIN_TIMEOUT)
        self.event_loop.run(_close_clients())

    def on_terminate(self) -> None:
        """Drain as in `on_stop`; the process manager's timeout limits it."""
        self.on_stop()

    def _get_info(self) -> dict[str, Any]:
        info: dict[str, Any] = super()._get_info()  # type: ignore[misc]  # the stubs lack it
        return {**info, "turns": self.slots.running}

    def _wait(self, until: Callable[[], float]) -> None:
        while self.slots.running and time.monotonic() < until():
            time.sleep(DRAIN_INTERVAL)


async def _close_clients() -> None:
    await wake_ups.wait_until_published()
    close_connections()
    await close_loop_client()
