"""The timeouts of one running model call."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from chat.domain import Timeouts
from chat.domain.errors import ModelTimeout, UpstreamClosed
from chat.http.cancellation import CancellableCall

# Seconds between checks of the timeouts.
CHECK_INTERVAL = 0.05


class CallTimeouts:
    """Measures a call from now on. Times are `time.monotonic()` seconds."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self.started_at = self._last_text_at = self._last_activity_at = time.monotonic()

    def record_text(self) -> None:
        self._last_text_at = time.monotonic()

    def record_activity(self) -> None:
        """Record activity without text: reasoning, or a comment in the stream."""
        self._last_activity_at = time.monotonic()

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

    @contextmanager
    def watch(self, call: CancellableCall) -> Iterator[None]:
        """Cancel the call if a timeout passes during the block.

        Raises:
            ModelTimeout: it names the timeout that has passed.
        """
        passed: list[str] = []
        is_over = Event()
        watcher = Thread(target=self._wait, args=(call, is_over, passed), daemon=True)
        watcher.start()
        try:
            yield
        except UpstreamClosed as error:
            if not passed:
                raise
            message = f"The model took too long: its timeout {passed[0]} has passed."
            raise ModelTimeout(message) from error
        finally:
            is_over.set()
            watcher.join()

    def _wait(self, call: CancellableCall, is_over: Event, passed: list[str]) -> None:
        total = self.started_at + self._timeouts.total, "total"
        at, name = min(self.next_timeout(), total)
        while (left := at - time.monotonic()) > 0:
            if is_over.wait(min(left, CHECK_INTERVAL)):  # an event may bring it forward
                return
            at, name = min(self.next_timeout(), total)
        passed.append(name)
        call.cancel()
