"""Wake-ups by a worker: it runs the next turn of a session itself if it has room for it.

Otherwise it publishes a wake-up, so that another worker may run it. Nothing waits for the broker:
turns make progress without one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chat import broker
from chat.worker.active_turns import active_turns

# Kombu blocks its thread, for up to twice `CHAT_PUBLISH_TIMEOUT`.
_thread = ThreadPoolExecutor(1, thread_name_prefix="queue-length")


class WakeUps:
    def __init__(self) -> None:
        self._run_here: Callable[[str], bool] = _has_no_room
        # Wake-ups that the broker has not answered yet.
        self._publishing: set[asyncio.Future[Any]] = set()

    def use_slots(self, run_here: Callable[[str], bool]) -> None:
        """Let this process run turns.

        run_here: runs the next turn of a session; returns false if there is no room for it.
        """
        self._run_here = run_here

    def wake(self, session_id: str) -> None:
        """Run the session's next turn: here, or on another worker if this one is full or stops."""
        if active_turns.is_draining or not self._run_here(session_id):
            self._keep(broker.wake_in_background(session_id))

    def wake_behind_others(self, session_id: str) -> None:
        """Run the session's next turn after those of all sessions in the broker's queue.

        A session with many queued turns must not keep a slot.
        """
        self._keep(asyncio.ensure_future(self._publish_or_run(session_id)))

    async def _publish_or_run(self, session_id: str) -> None:
        is_published = await broker.wake_in_background(session_id)
        if not (is_published or active_turns.is_draining):
            self._run_here(session_id)  # otherwise the sweeper finds it

    def _keep(self, publishing: asyncio.Future[Any]) -> None:
        self._publishing.add(publishing)
        publishing.add_done_callback(self._publishing.discard)

    async def wait_until_published(self) -> None:
        """Wait until the broker has answered all wake-ups so far, or they have timed out."""
        if self._publishing:
            await asyncio.wait(self._publishing)


async def queue_length() -> int:
    """Return the number of queued wake-ups; 0 if the broker is unreachable."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_thread, broker.queue_length) or 0


def _has_no_room(_session_id: str) -> bool:
    return False


# The wake-ups of this process.
wake_ups = WakeUps()
