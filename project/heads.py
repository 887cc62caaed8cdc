"""Request heads, taken in within bounds of size and time, as `project/bodies.py` does with bodies.

uvicorn waits for the rest of a head for ever, and keeps all of it.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chat.conf import knobs

MOST = 64 * 1024
"""Most bytes of a request line and headers; many times what any client sends."""
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\n"
    b"connection: close\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's own protocol, but a connection that has sent no whole head in time is closed.

    The time runs from the connection's beginning or, for a further request, from its first byte;
    between two requests uvicorn's `--timeout-keep-alive` bounds it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread = 0
        """Bytes of a head that has not ended."""
        self._is_past_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self._is_idle():
            self._wait_for_head()
            self._unread += len(data)
        super().data_received(data)
        if self._unread > MOST and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._is_past_head = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but not what follows the body: uvicorn would take it for a header, too.

        A proxy replaces headers that only it may set, and may pass those trailers on.
        """
        if not self._is_past_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_past_head = True
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        """Whether what comes next is a head, or the rest of one."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(knobs.BODY_TIMEOUT, self.transport.close)

    def _stop_waiting(self) -> None:
        self._unread = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
