"""A minimal WebSocket client for load, and a server of bare ASGI WebSockets to compare with.

`uvicorn bench.websocket_load:app`; a WebSocket on /stream receives `RATE` frames per second.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# The first byte of unfragmented frames, by their opcode.
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
# These lengths mean that the length follows in 2 or 8 bytes.
LENGTH_IN_2_BYTES, LENGTH_IN_8_BYTES = 126, 127
MASKED = 0x80
# A mask of zeros is legal and costs nothing.
MASK = b"\0\0\0\0"
RATE = 20
# How frames begin that end the wait for a reply: its last event, or the rejection of the message.
REJECTED = b'{"type":"error"'
ENDS = tuple(b'{"type":"message.%b"' % end for end in (b"completed", b"incomplete", b"failed"))
FRAME = '{"type":"message.delta","seq":1234,"message_id":"msg_2","delta":"' + "x" * 120 + '"}'

Message = Mapping[str, Any]


class WebSocket:
    """A WebSocket without fragmented frames, which uvicorn does not send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, url: str) -> "WebSocket":
        """Connect to an http: URL."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        writer.write(UPGRADE.format(path=path, host=parts.netloc).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return cls(reader, writer)

    def send(self, text: bytes) -> None:
        self._send(TEXT, text)

    async def receive(self) -> AsyncIterator[bytes]:
        """Yield the texts of frames until the server closes; answer pings."""
        while True:
            first, length = await self._reader.readexactly(2)
            if length >= LENGTH_IN_2_BYTES:
                size = await self._reader.readexactly(2 if length == LENGTH_IN_2_BYTES else 8)
                length = int.from_bytes(size)
            payload = await self._reader.readexactly(length)
            if first == PING:
                self._send(PONG, payload)
            elif first == CLOSE:
                return
            else:
                yield payload

    def close(self) -> None:
        """Drop the connection."""
        self._writer.close()

    def _send(self, first: int, payload: bytes) -> None:
        size = len(payload)
        if size < LENGTH_IN_2_BYTES:
            length = bytes([size | MASKED])
        else:
            length = bytes([LENGTH_IN_2_BYTES | MASKED]) + size.to_bytes(2)
        self._writer.write(bytes([first]) + length + MASK + payload)


class Subscriber:
    """A WebSocket of a session that reads all the time, as a page does."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        # The event that ends a reply, or an error.
        self._ends: asyncio.Queue[bytes] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())
        # Events that were received.
        self.events = 0

    async def chat(self, content: str) -> None:
        """Post a message; return when its reply has ended. Rejected messages are repeated."""
        while True:
            self._socket.send(orjson.dumps({"type": "message.create", "content": content}))
            end = asyncio.create_task(self._ends.get())
            await asyncio.wait({end, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            assert end.done(), "the WebSocket was closed"
            if not end.result().startswith(REJECTED):
                return
            await asyncio.sleep(1)

    def close(self) -> None:
        self._reading.cancel()
        self._socket.close()

    async def _read(self) -> None:
        async for frame in self._socket.receive():
            self.events += 1
            if frame.startswith((*ENDS, REJECTED)):
                self._ends.put_nowait(frame)


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Serve a bare WebSocket."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"up"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    sending = asyncio.create_task(_send_frames(send)) if scope["path"] == "/stream" else None
    while (await receive())["type"] != "websocket.disconnect":
        pass
    if sending:
        sending.cancel()


async def _send_frames(send: Callable[[Message], Awaitable[None]]) -> None:
    rate = int(os.environ.get("RATE", RATE))
    while True:
        await asyncio.sleep(1 / rate)
        await send({"type": "websocket.send", "text": FRAME})
