"""The timeouts of one running model call."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chat.domain import Timeouts
from chat.domain.errors import ModelTimeout


class CallTimeouts:
    """Measures a call from now on. Times are `time.monotonic()` seconds."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        # Set while `watch` cancels the call itself.
        self._limit: asyncio.Timeout | None = None
        self.started_at = self._last_text_at = self._last_activity_at = time.monotonic()

    def record_text(self) -> None:
        self._last_text_at = time.monotonic()
        self._reschedule()

    def record_activity(self) -> None:
        """Record activity without text: reasoning, or a comment in the stream."""
        self._last_activity_at = time.monotonic()
        self._reschedule()

    def next_timeout(self) -> tuple[float, str]:
        """Return when the call times out without activity or text, and the timeout's name."""
        timeouts = self._timeouts
        last_activity_at = max(self._last_activity_at, self._last_text_at)
        name = "between_events" if last_activity_at > self.started_at else "first_event"
        limit = timeouts.between_events if name == "between_events" else timeouts.first_event
        without_text = max(timeouts.without_text, timeouts.first_event, timeouts.between_events)
        return min(
            (last_activity_at + limit, name), (self._last_text_at + without_text, "without_text")
        )

    @asynccontextmanager
    async def watch(self) -> AsyncGenerator[None]:
        """Cancel the block when a timeout passes.

        Raises:
            ModelTimeout: it names the timeout that has passed.
        """
        try:
            async with asyncio.timeout(None) as limit:
                self._limit = limit
                self._reschedule()
                yield
        except TimeoutError as error:
            name = self._next()[1]
            message = f"The model took too long: its timeout {name} has passed."
            raise ModelTimeout(message) from error
        finally:
            self._limit = None

    def _next(self) -> tuple[float, str]:
        return min(self.next_timeout(), (self.started_at + self._timeouts.total, "total"))

    def _reschedule(self) -> None:
        if self._limit is not None:
            left = self._next()[0] - time.monotonic()
            self._limit.reschedule(asyncio.get_running_loop().time() + left)
