"""Lookups of host names that may take long: those that clients choose.

The threads of an event loop look up the names of models. Slow name servers of clients must not
occupy them, nor delay the end of the process.
"""

import asyncio
import socket
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

from chat.http.loop_connection import AddressInfo


class LookupThreads:
    """Daemon threads, as many as there are lookups at a time. The callers limit these."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[str, int, Future[Any]]] = SimpleQueue()
        self._idle = Semaphore(0)

    async def resolve(self, host: str, port: int) -> list[AddressInfo]:
        """Return the addresses of a host.

        Raises:
            OSError, ValueError: it has none, or is no valid name.
        """
        found: Future[list[AddressInfo]] = Future()
        found.set_running_or_notify_cancel()  # the thread ends it, also for a cancelled task
        if not self._idle.acquire(blocking=False):
            Thread(target=self._run, name="lookup", daemon=True).start()
        self._queue.put((host, port, found))
        return await asyncio.wrap_future(found)

    def _run(self) -> None:
        while True:
            host, port, found = self._queue.get()
            try:
                found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, ValueError) as error:
                found.set_exception(error)
            self._idle.release()


# The threads of this process.
lookup_threads = LookupThreads()
