"""The line to one caller: what is sent down it, and whether they are still there."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fakemodel.recorder import Entry

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

# With it, closing a socket drops what is unsent and resets the connection instead of ending it.
LINGER_NOT = struct.pack("ii", 1, 0)


class CallerGone(Exception):
    """The caller closed the connection before the reply was complete."""


class Line:
    """Sends one response, keeps its entry in the record, and notices a caller who leaves."""

    def __init__(
        self,
        send: Send,
        transport: asyncio.Transport,
        closed: asyncio.Future[None],
        entry: Entry,
    ) -> None:
        """Speak through `send`, and past it through `transport` where HTTP is to be broken."""
        self.send = send
        self.transport = transport
        self.closed = closed
        self.entry = entry

    async def start(
        self, status: int, content_type: bytes, *, length: int | None = None, headers: Headers = ()
    ) -> None:
        """Send status and headers; without `length` the body is chunked."""
        self.check()
        sent = [(b"content-type", content_type), *headers]
        if length is not None:
            sent.append((b"content-length", b"%d" % length))
        self.entry.status = status
        self.entry.first_byte_at = time.time()
        await self.send({"type": "http.response.start", "status": status, "headers": sent})

    async def write(self, body: bytes) -> None:
        """Send a part of the body; waits for a slow reader; raises CallerGone."""
        self.check()
        if body:
            self.entry.bytes_sent += len(body)
            await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes = b"") -> None:
        """Send the last part of the body; raises CallerGone."""
        self.check()
        self.entry.bytes_sent += len(body)
        await self.send({"type": "http.response.body", "body": body})

    async def respond(
        self, status: int, content_type: bytes, body: bytes, *, headers: Headers = ()
    ) -> None:
        """Send a whole response."""
        await self.start(status, content_type, length=len(body), headers=headers)
        await self.end(body)

    async def pause(self, seconds: float | None) -> None:
        """Wait, for ever if None; raises CallerGone as soon as the caller leaves."""
        await asyncio.wait((self.closed,), timeout=seconds)
        self.check()

    async def pause_if(self, seconds: float) -> None:
        """Wait if there is anything to wait for."""
        if seconds > 0:
            await self.pause(seconds)

    def check(self) -> None:
        """Raise CallerGone if the caller has left."""
        if self.closed.done():
            raise CallerGone

    def begin_raw(self, headers: bytes) -> None:
        """Send status and headers as they are, past HTTP's own rules; the status is 200."""
        self.entry.status = 200
        self.entry.first_byte_at = time.time()
        self.transport.write(headers)

    def raw(self, data: bytes) -> None:
        """Put bytes on the wire as they are, past HTTP."""
        self.entry.bytes_sent += len(data)
        self.transport.write(data)

    async def cut(self) -> None:
        """Close the connection once what was written is sent; HTTP is left incomplete."""
        self.transport.close()
        await self.closed

    async def reset(self) -> None:
        """Drop the connection at once with a TCP reset, as a crashed host does."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT
        )
        self.transport.abort()
        await self.closed
