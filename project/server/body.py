"""Request bodies, taken in before a thread is spent on them, within bounds of size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

LINGER_BYTES = 1024 * 1024
LINGER_SECONDS = 1.0
"""How much of a body that is too large is read, and dropped, before it is refused: a client whose
connection is closed while it still sends would not see why."""


class Body:
    """A request's body on its way in."""

    def __init__(self, most: int, declared: int) -> None:
        self.most = most
        self.declared = declared
        """Bytes that it is said to have; 0 when nothing is said."""
        self.kept = bytearray()
        self.received = 0
        """Bytes, kept or dropped."""
        self.is_whole = False

    @property
    def is_too_large(self) -> bool:
        """Whether it has, or says that it has, more than may be kept."""
        return max(self.declared, self.received) > self.most

    async def read(self, receive: Receive, patience: float) -> None:
        """Read it, or of one that is too large what `LINGER_*` allow.

        Raises:
            TimeoutError: it has not arrived within `patience` seconds.
        """
        most = self.most + LINGER_BYTES
        async with asyncio.timeout(LINGER_SECONDS if self.is_too_large else patience) as bound:
            while not self.is_whole and max(self.declared, self.received) <= most:
                was_too_large = self.is_too_large
                message = await receive()
                if message["type"] != "http.request":
                    return
                self._add(message)
                if self.is_too_large and not was_too_large:
                    bound.reschedule(asyncio.get_running_loop().time() + LINGER_SECONDS)

    def _add(self, message: Mapping[str, Any]) -> None:
        part = message.get("body", b"")
        self.received += len(part)
        self.is_whole = not message.get("more_body", False)
        if not self.is_too_large:
            self.kept += part
