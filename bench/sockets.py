"""A lean WebSocket client for load, and the bare ASGI sockets that Parley's are measured beside.

`uvicorn bench.sockets:app`; a socket on /ticking is sent a frame `RATE` times a second.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
"""First bytes of frames that come whole."""
TWO_BYTES, EIGHT_BYTES = 126, 127
"""Lengths that say how the length is given."""
MASKED = 0x80
MASK = b"\0\0\0\0"
"""Masking with zeros is legal and costs nothing."""
RATE = 20
FRAME = '{"type":"message.delta","seq":1234,"message_id":"msg_2","delta":"' + "x" * 120 + '"}'

Message = Mapping[str, Any]


class Socket:
    """One WebSocket; frames come whole, as uvicorn sends them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, url: str) -> "Socket":
        """Connect to an http: URL's path."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        writer.write(UPGRADE.format(path=path, host=parts.netloc).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return cls(reader, writer)

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self._send(TEXT, text)

    async def hear(self) -> AsyncIterator[bytes]:
        """Yield the texts of frames until the socket is closed; answer pings."""
        while True:
            first, length = await self._reader.readexactly(2)
            if length >= TWO_BYTES:
                size = await self._reader.readexactly(2 if length == TWO_BYTES else 8)
                length = int.from_bytes(size)
            text = await self._reader.readexactly(length)
            if first == PING:
                self._send(PONG, text)
            elif first == CLOSE:
                return
            else:
                yield text

    def close(self) -> None:
        """Drop the connection."""
        self._writer.close()

    def _send(self, first: int, text: bytes) -> None:
        size = len(text)
        length = bytes([size]) if size < TWO_BYTES else bytes([TWO_BYTES]) + size.to_bytes(2)
        masked = bytes([length[0] | MASKED]) + length[1:]
        self._writer.write(bytes([first]) + masked + MASK + text)


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Serve a bare socket."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"up"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    ticking = asyncio.create_task(_tick(send)) if scope["path"] == "/ticking" else None
    while (await receive())["type"] != "websocket.disconnect":
        pass
    if ticking:
        ticking.cancel()


async def _tick(send: Callable[[Message], Awaitable[None]]) -> None:
    rate = int(os.environ.get("RATE", RATE))
    while True:
        await asyncio.sleep(1 / rate)
        await send({"type": "websocket.send", "text": FRAME})
