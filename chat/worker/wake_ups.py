"""Wake-ups by a worker: it runs the next turn of a session itself if it has room for it.

Otherwise it publishes a wake-up, so that another worker may run it. Nothing waits for the broker:
turns make progress without one.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chat import broker
from chat.worker.active_turns import active_turns

# Kombu blocks its thread, for up to twice `CHAT_PUBLISH_TIMEOUT`.
PUBLISHING_THREADS = 4

_publishers = ThreadPoolExecutor(PUBLISHING_THREADS, thread_name_prefix="publisher")


class WakeUps:
    def __init__(self) -> None:
        self._run_here: Callable[[str], bool] = _has_no_room
        self._tasks: set[asyncio.Future[object]] = set()

    def use_slots(self, run_here: Callable[[str], bool]) -> None:
        """Let this process run turns.

        run_here: runs the next turn of a session; returns false if there is no room for it.
        """
        self._run_here = run_here

    def wake(self, session_id: str) -> None:
        """Run the session's next turn: here, or on another worker if this one is full or stops."""
        if active_turns.is_draining or not self._run_here(session_id):
            self._start(_publish(session_id))

    def wake_behind_others(self, session_id: str) -> None:
        """Run the session's next turn after those of all sessions in the broker's queue.

        A session with many queued turns must not keep a slot.
        """
        self._start(self._publish_or_run(session_id))

    async def _publish_or_run(self, session_id: str) -> None:
        is_published = await _publish(session_id)
        if not (is_published or active_turns.is_draining):
            self._run_here(session_id)  # otherwise the sweeper finds it

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _publish(session_id: str) -> bool:
    """Return whether the broker has accepted a wake-up for another worker."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_publishers, broker.wake_session, session_id)


async def queue_length() -> int:
    """Return the number of queued wake-ups; 0 if the broker is unreachable."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_publishers, broker.queue_length) or 0


def _has_no_room(_session_id: str) -> bool:
    return False


# The wake-ups of this process.
wake_ups = WakeUps()
