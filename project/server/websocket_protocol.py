"""uvicorn's WebSocket protocol with limits on frames of every kind, and on unfinished messages.

uvicorn parses all received data at once and passes only complete messages to the application.
Pings, pongs and empty fragments cost their sender a few bytes, and the application could not count
them.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from chat.buffers import Buffer, buffer_limit
from chat.domain.errors import RateLimited
from chat.domain.rates import RateLimiter
from chat.realtime.close_codes import ABORT, AUTHENTICATED, SEND_TEXTS, close_code
from chat.settings import chat_settings
from project.server.body import LINGER_SECONDS, MIN_COUNTED_BYTES
from project.server.message_queue import MessageQueue
from project.server.write_timeout import WriteTimeoutMixin

# Bytes that are parsed at once: 170 of the smallest frames. Other connections run in between.
READ_SIZE = 1024
# Times the application's own limit on messages, which closes with a better explanation.
RATE_FACTOR = 2
# The longest payload whose length is one byte of the frame.
MAX_SHORT_BYTES = 125
# Bytes of a message before authentication.
MAX_FIRST_BYTES = 8 * 1024
# `writable` of all WebSockets whose clients read: an event each would take 0.8 KiB more.
WRITABLE = asyncio.Event()
WRITABLE.set()


class WebSocketProtocol(WriteTimeoutMixin, WebSocketsSansIOProtocol):
    """Closes WebSockets that send frames of any kind too fast."""

    # Attributes of uvicorn's. Instances share the keys of their dicts only up to 30 attributes.
    __slots__ = (
        "app",
        "app_state",
        "asgi_version",
        "close_sent",
        "close_timeout",
        "close_timer",
        "config",
        "connections",
        "curr_msg_data_type",
        "default_headers",
        "disconnected",
        "frames",
        "handshake_complete",
        "handshake_initiated",
    )
    # The application closes first, and a client that resumes reading then receives the close frame.
    EXTRA_WRITE_TIMEOUT = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rate_limiter = RateLimiter(
            per_minute=RATE_FACTOR * chat_settings.FRAMES_PER_MINUTE,
            burst=RATE_FACTOR * chat_settings.FRAMES_BURST,
        )
        self._is_rate_limited = False
        self.conn.max_message_size = MAX_FIRST_BYTES
        self.queue: Any = MessageQueue()
        self.writable = WRITABLE
        # Bytes received since the end of the last message; they are counted in `buffer_limit`.
        self._unfinished = 0
        self._buffer: Buffer | None = None

    def run_asgi(self) -> Coroutine[Any, Any, None]:
        extensions: dict[str, Any] = {
            ABORT: self.abort,
            AUTHENTICATED: self._finish_authentication,
            SEND_TEXTS: self._send_texts,
        }
        self.scope["extensions"] |= extensions
        return super().run_asgi()

    async def _send_texts(self, texts: Iterable[bytes]) -> None:
        """Send messages in one write. uvicorn and `websockets` take 15 us for each.

        Raises:
            ClientDisconnected
        """
        await self.writable.wait()
        if self.conn.extensions:  # compression
            for text in texts:
                await self.send({"type": "websocket.send", "text": text.decode()})
        elif self.disconnected or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        else:
            self.transport.write(b"".join([part for text in texts for part in text_frame(text)]))

    def data_received(self, data: bytes) -> None:
        for begin in range(0, len(data), READ_SIZE):
            if self._is_rate_limited or self.transport.is_closing():
                return
            chunk = data[begin : begin + READ_SIZE]
            self._unfinished += len(chunk)
            super().data_received(chunk)
        self._count_unfinished()

    def connection_lost(self, exc: Exception | None) -> None:
        self._release_unfinished()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        if self.writable is WRITABLE:
            self.writable = asyncio.Event()
        super().pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.writable = WRITABLE

    def _finish_authentication(self) -> None:
        """Accept large messages, and release the handshake: 4 KiB that are not needed any more."""
        self.conn.max_message_size = chat_settings.MAX_BODY_BYTES
        self.scope["headers"].clear()  # type: ignore[attr-defined]
        self.request.headers.clear()
        self.response.headers.clear()

    def _count_unfinished(self) -> None:
        if self._unfinished > MIN_COUNTED_BYTES and not self.transport.is_closing():
            if self._buffer is None:
                address = self.transport.connection.address
                self._buffer = Buffer(address, lambda: self._unfinished, self.abort)
            buffer_limit.count(self._buffer)

    def _release_unfinished(self) -> None:
        self._unfinished = 0
        if self._buffer is not None:
            buffer_limit.remove(self._buffer)
            self._buffer = None

    def handle_cont(self, event: Frame) -> None:
        self._count_frame()
        super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        self._count_frame()
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._count_frame()
        super().handle_bytes(event)

    def handle_ping(self) -> None:
        self._count_frame()
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        self._count_frame()
        super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; close if its text is not UTF-8, which uvicorn logs as an error."""
        self._release_unfinished()
        if self.curr_msg_data_type == "text" and not self.close_sent and not self._is_utf8():
            self.logger.info("A WebSocket client sent text that is not valid UTF-8.")
            self.conn.send_close(CloseCode.INVALID_DATA, "invalid UTF-8")
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def _is_utf8(self) -> bool:
        self.frames = [b"".join(self.frames)]
        try:
            self.frames[0].decode()
        except UnicodeDecodeError:
            return False
        return True

    def handle_parser_exception(self) -> None:
        """Close; abort if the invalid data arrived before the handshake was complete."""
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def _count_frame(self) -> None:
        if not self._is_rate_limited and not self._rate_limiter.allow():
            self._is_rate_limited = True
            self._close_rate_limited()

    def _close_rate_limited(self) -> None:
        """Send a close frame and ignore further data; close once the client could read the frame.

        The application sees an ordinary disconnect.
        """
        code, reason = close_code(RateLimited()), RateLimited.code
        if self.conn.state is State.OPEN and self.handshake_complete:
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = self.disconnected = True
        self.stop_keepalive()
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)


def text_frame(text: bytes) -> tuple[bytes, bytes]:
    """Return the head and the payload of a text frame of a server (RFC 6455, 5.2)."""
    size = len(text)
    if size <= MAX_SHORT_BYTES:
        return b"\x81%c" % size, text
    if size < 2**16:
        return b"\x81\x7e" + size.to_bytes(2, "big"), text
    return b"\x81\x7f" + size.to_bytes(8, "big"), text
