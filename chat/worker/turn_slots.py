"""The slots of a worker: how many turns run at the same time, and which sessions wait for one.

Only the event loop's thread uses them.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from chat.worker.event_loop import EventLoopThread

# Returns the coroutine of one piece of work: the next turn of a session, or the answer to a ping.
Work = Callable[[], Coroutine[Any, Any, None]]


class TurnSlots:
    """Runs work in at most `limit` tasks."""

    def __init__(self, event_loop: EventLoopThread, limit: int) -> None:
        self._event_loop = event_loop
        self._limit = limit
        self.running = 0
        self._waiting: deque[Work] = deque()

    @property
    def has_room(self) -> bool:
        """Whether more work may be added: as much may wait as can run."""
        return self.running + len(self._waiting) < 2 * self._limit

    def add(self, work: Work) -> None:
        """Run the work as soon as a slot is free; work that was added earlier comes first."""
        if self.running < self._limit:
            self.running += 1
            self._event_loop.spawn(self._run(work))
        else:
            self._waiting.append(work)

    async def _run(self, work: Work) -> None:
        """Run the work, and then what waits for the slot."""
        try:
            await work()
        finally:
            self.running -= 1
            if self._waiting:
                self.add(self._waiting.popleft())
