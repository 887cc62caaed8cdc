"""Sends the head of a response together with the start of its body.

uvicorn writes them separately: two system calls, two packets, and a client that wakes up twice.
"""

import asyncio
from collections.abc import Callable
from typing import Any


class HeadBuffer:
    """The transport of one response: holds its head back, at most until the loop's next iteration.

    An interim response, `100 Continue`, is not buffered.
    """

    def __init__(
        self, transport: Any, loop: asyncio.AbstractEventLoop, close: Callable[[], None]
    ) -> None:
        """close: closes the connection after the response."""
        self._transport = transport
        self._close = close
        self._loop = loop
        self._head = b""
        self._is_final = False
        self._flush: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
            data = self._head + data
        elif not self._is_final and not data.startswith(b"HTTP/1.1 100 "):
            self._is_final = True
            self._head = data
            self._flush = self._loop.call_soon(self.write, b"")
            return
        self._transport.write(data)

    def close(self) -> None:
        if self._flush is not None:
            self.write(b"")
        self._close()
