"""Frames of WebSockets, read a few at a time and no more of them than a socket may send.

uvicorn reads all that has come in one go, and tells the application of whole messages only: pings,
pongs and empty pieces of a message cost their sender two bytes and a mask, and nobody counted them.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from chat.domain.errors import RateLimited
from chat.settings import chat_settings
from project import wsgi  # noqa: F401  (sets Django up, which the close codes need)
from project.server.body import LINGER_SECONDS
from project.server.write_timeout import Impatient

from chat.realtime.close_codes import HANG_UP, code_of  # isort: skip
from chat.realtime.rate_limit import Pace  # isort: skip

SLICE = 1024
"""Bytes read at once: 170 of the smallest frames, after which other connections have a turn."""
MERCY = 2
"""Times the pace that the application holds messages to: it closes first, and says so better."""


class BoundedFrames(Impatient, WebSocketsSansIOProtocol):
    """uvicorn's own protocol, but a socket that sends frames of any kind too fast is closed."""

    GRACE = 10.0
    """The application closes first, and a client who then begins to read hears why."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace(
            per_minute=MERCY * chat_settings.FRAMES_PER_MINUTE,
            burst=MERCY * chat_settings.FRAMES_BURST,
        )
        self._is_cut = False

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = {HANG_UP: self.hang_up}
        self.scope["extensions"] |= extensions
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        for begin in range(0, len(data), SLICE):
            if self._is_cut or self.transport.is_closing():
                return
            super().data_received(data[begin : begin + SLICE])

    def handle_cont(self, event: Frame) -> None:
        self._count()
        super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        self._count()
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._count()
        super().handle_bytes(event)

    def handle_ping(self) -> None:
        self._count()
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        self._count()
        super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; text that is none ends the socket. It is its client's fault alone."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not self._is_text():
            self.logger.info("A socket has sent text that is not UTF-8.")
            self.conn.send_close(CloseCode.INVALID_DATA, "text is UTF-8")
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def _is_text(self) -> bool:
        self.frames = [b"".join(self.frames)]
        try:
            self.frames[0].decode()
        except UnicodeDecodeError:
            return False
        return True

    def handle_parser_exception(self) -> None:
        """Close; at once when what cannot be read came before the socket was accepted."""
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def _count(self) -> None:
        if not self._is_cut and not self._pace.lets_pass():
            self._is_cut = True
            self._cut()

    def _cut(self) -> None:
        """Close, and hear no more; the line stays up until the client has had time to read why.

        The application hears of it as of a client who has left.
        """
        code, reason = code_of(RateLimited()), RateLimited.code
        if self.conn.state is State.OPEN and self.handshake_complete:
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = self.disconnected = True
        self.stop_keepalive()
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
