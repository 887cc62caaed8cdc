"""Reads request bodies before a thread is used for them, with limits on size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chat.buffers import Buffer, buffer_limit
from chat.callbacks import noop

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
# A WSGI environment (PEP 3333), or the `META` of a request, which has the same headers.
Environ = dict[str, Any]

# How much of a body that is too large is read and dropped before the error response. A client whose
# connection is closed while it is still sending would not see the response.
LINGER_BYTES = 1024 * 1024
LINGER_SECONDS = 1.0
# Bytes of a body that are counted together with those of other bodies.
MIN_COUNTED_BYTES = 4096


class RequestBody:
    """The body of one request, read into memory, and counted in `buffer_limit` until `release`.

    owner: see `Buffer`.
    """

    def __init__(self, max_bytes: int, content_length: int, owner: str) -> None:
        self.max_bytes = max_bytes
        self.owner = owner
        # 0 if the request does not declare it.
        self.content_length = content_length
        self.content = bytearray()
        # Bytes, including those that were dropped.
        self.received = 0
        self.is_complete = False
        # Whether it was dropped, because too much is buffered for all clients.
        self.is_dropped = False
        # What else ends the request of a dropped body.
        self.on_drop: Callable[[], object] = noop
        self._timeout: asyncio.Timeout | None = None
        self._buffer = Buffer(owner, lambda: len(self.content), self._drop)

    @property
    def is_too_large(self) -> bool:
        """Whether the received or the declared size exceeds the limit."""
        return max(self.content_length, self.received) > self.max_bytes

    async def read(self, receive: Receive, timeout_seconds: float) -> None:
        """Read the body; of a body that is too large, no more than `LINGER_*` allow.

        Raises:
            TimeoutError: the body did not arrive in time.
        """
        limit = self.max_bytes + LINGER_BYTES
        seconds = LINGER_SECONDS if self.is_too_large else timeout_seconds
        try:
            async with asyncio.timeout(seconds) as self._timeout:
                while not self.is_complete and max(self.content_length, self.received) <= limit:
                    message = await receive()
                    if message["type"] != "http.request":
                        return
                    self._add(message)
        finally:
            self._timeout = None

    def release(self) -> None:
        """Free the content."""
        self.content = bytearray()
        buffer_limit.remove(self._buffer)

    def _add(self, message: Mapping[str, Any]) -> None:
        was_too_large = self.is_too_large
        chunk = message.get("body", b"")
        self.received += len(chunk)
        self.is_complete = not message.get("more_body", False)
        if self.is_too_large:
            if not was_too_large:
                self.release()
                self._end_reading(LINGER_SECONDS)
        elif not self.is_dropped:
            self.content += chunk
            if len(self.content) > MIN_COUNTED_BYTES:
                buffer_limit.count(self._buffer)

    def _drop(self) -> None:
        self.is_dropped, self.content = True, bytearray()
        self._end_reading(0)
        self.on_drop()

    def _end_reading(self, seconds: float) -> None:
        if self._timeout is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)
