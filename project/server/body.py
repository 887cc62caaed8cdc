"""Reads request bodies before a thread is used for them, with limits on size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

# How much of a body that is too large is read and dropped before the error response. A client whose
# connection is closed while it is still sending would not see the response.
LINGER_BYTES = 1024 * 1024
LINGER_SECONDS = 1.0


class RequestBody:
    """The body of one request, read into memory."""

    def __init__(self, max_bytes: int, content_length: int) -> None:
        self.max_bytes = max_bytes
        # 0 if the request does not declare it.
        self.content_length = content_length
        self.content = bytearray()
        # Bytes, including those that were dropped.
        self.received = 0
        self.is_complete = False

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
        async with asyncio.timeout(seconds) as timeout:
            while not self.is_complete and max(self.content_length, self.received) <= limit:
                was_too_large = self.is_too_large
                message = await receive()
                if message["type"] != "http.request":
                    return
                self._add(message)
                if self.is_too_large and not was_too_large:
                    timeout.reschedule(asyncio.get_running_loop().time() + LINGER_SECONDS)

    def _add(self, message: Mapping[str, Any]) -> None:
        chunk = message.get("body", b"")
        self.received += len(chunk)
        self.is_complete = not message.get("more_body", False)
        if not self.is_too_large:
            self.content += chunk
