"""The connection to one client: sends a response and detects that the client disconnects."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from fakemodel.errors import Headers
from fakemodel.recorder import CallRecord

Send = Callable[[dict[str, Any]], Awaitable[None]]

# Value of SO_LINGER with which closing a socket drops unsent data and sends a TCP reset.
LINGER_RESET = struct.pack("ii", 1, 0)


class ClientDisconnected(Exception):
    """The client closed the connection before the reply was complete."""


class ClientConnection:
    """Sends one response and updates the call's record.

    All methods that send or wait raise ClientDisconnected.
    """

    def __init__(
        self,
        send: Send,
        transport: asyncio.Transport,
        closed: asyncio.Future[None],
        record: CallRecord,
        *,
        headers: Headers = (),
    ) -> None:
        """Send through ASGI's `send`, or through `transport` where a fault violates HTTP.

        headers: are part of every response.
        """
        self.send = send
        self.transport = transport
        self.closed = closed
        self.record = record
        self.headers = headers

    async def start(
        self, status: int, content_type: bytes, *, length: int | None = None, headers: Headers = ()
    ) -> None:
        """Send status and headers; without `length` the body is chunked."""
        self._check()
        sent = [(b"content-type", content_type), *self.headers, *headers]
        if length is not None:
            sent.append((b"content-length", b"%d" % length))
        self.record.status = status
        self.record.first_byte_at = time.time()
        await self.send({"type": "http.response.start", "status": status, "headers": sent})

    async def write(self, body: bytes) -> None:
        """Send a part of the body; waits while the client reads slowly."""
        self._check()
        if body:
            self.record.bytes_sent += len(body)
            await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes = b"") -> None:
        """Send the last part of the body."""
        self._check()
        self.record.bytes_sent += len(body)
        await self.send({"type": "http.response.body", "body": body})

    async def respond(
        self, status: int, content_type: bytes, body: bytes, *, headers: Headers = ()
    ) -> None:
        """Send a complete response."""
        await self.start(status, content_type, length=len(body), headers=headers)
        await self.end(body)

    async def sleep(self, seconds: float) -> None:
        """Wait, if `seconds` is positive."""
        if seconds > 0:
            await asyncio.wait((self.closed,), timeout=seconds)
            self._check()

    async def wait_until_disconnected(self) -> NoReturn:
        await self.closed
        raise ClientDisconnected

    def _check(self) -> None:
        if self.closed.done():
            raise ClientDisconnected

    def start_raw(self, headers: bytes) -> None:
        """Write status line and headers to the socket unchanged; the status is 200."""
        self.record.status = 200
        self.record.first_byte_at = time.time()
        self.transport.write(headers)

    def write_raw(self, data: bytes) -> None:
        """Write bytes to the socket unchanged."""
        self.record.bytes_sent += len(data)
        self.transport.write(data)

    async def close(self) -> None:
        """Send what was written, then close the connection; the response may be incomplete."""
        self.transport.close()
        await self.closed

    async def reset(self) -> None:
        """Close the connection with a TCP reset, as a crashed host does."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET
        )
        self.transport.abort()
        await self.closed
