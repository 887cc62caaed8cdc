"""Publishing from an event loop, which does not wait for the broker."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from chat.broker.publishing import wake_sessions


class BackgroundPublisher:
    """Publishes the wake-ups of an event loop in one thread, because kombu blocks.

    Wake-ups that arrive while others are being published share the next switch of threads.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "publisher")
        # A set in the order of arrival.
        self._waiting: dict[str, None] = {}
        self._publishing: asyncio.Future[bool] | None = None

    def wake_session(self, session_id: str) -> None:
        """Publish a wake-up soon. If the process ends before, the sweeper finds the turn."""
        self._waiting[session_id] = None
        if self._publishing is None:
            self._publish_waiting()

    def _publish_waiting(self) -> None:
        session_ids, self._waiting = self._waiting, {}
        loop = asyncio.get_running_loop()
        self._publishing = loop.run_in_executor(self._thread, wake_sessions, session_ids)
        self._publishing.add_done_callback(self._continue)

    def _continue(self, published: asyncio.Future[bool]) -> None:
        self._publishing = None
        if self._waiting and not published.cancelled():
            self._publish_waiting()


_publishers: dict[asyncio.AbstractEventLoop, BackgroundPublisher] = {}


def wake_in_background(session_id: str) -> None:
    """Publish a wake-up from the running event loop, without waiting for the broker."""
    loop = asyncio.get_running_loop()
    publisher = _publishers.get(loop) or _publishers.setdefault(loop, BackgroundPublisher())
    publisher.wake_session(session_id)
