"""Request heads, taken in within bounds of size and time, as `body.py` does with bodies.

uvicorn waits for the rest of a head for ever, and keeps all of it.
"""

import asyncio
import re
from typing import Any

from django.http import HttpResponse
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chat.domain.errors import HeadersTooLarge, InvalidRequest, ParleyError
from chat.settings import chat_settings
from project import wsgi  # noqa: F401  (sets Django up, which the errors' shape needs)
from project.server.body import LINGER_SECONDS
from project.server.h2_upgrade import Parser
from project.server.write_timeout import Impatient

from chat.api.exception_handler import without_request  # isort: skip
from chat.realtime.close_codes import HANG_UP  # isort: skip

MOST = 64 * 1024
"""Most bytes of a request line and headers; many times what any client sends."""
MOST_LINES, MOST_LINE = 128, 8000
"""Of a WebSocket's handshake: lines, and bytes in each; `websockets` takes hardly more."""
MOST_WAITING = 32
"""Requests that wait for their turn on one connection: a read brings thousands, 2 kB for each."""
HANDSHAKE = {
    b"upgrade": re.compile(b"websocket", re.IGNORECASE),
    b"sec-websocket-key": re.compile(rb"[A-Za-z0-9+/]{22}=="),
    b"sec-websocket-version": re.compile(b"13"),
}
"""Headers that open a WebSocket, and their forms."""
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
LISTS = {b"connection", b"sec-websocket-protocol"}
"""Its headers that are lists of words."""
WORDS = re.compile(rb"[ \t,]*%b(?:[ \t]*,[ \t,]*%b)*[ \t,]*" % (_TOKEN, _TOKEN))


class BoundedHeads(Impatient, HttpToolsProtocol):
    """uvicorn's own protocol, but a connection that has sent no whole head in time is closed.

    The time runs from the connection's beginning or, for a further request, from its first byte;
    between two requests uvicorn's `--timeout-keep-alive` bounds it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = Parser(self)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread = 0
        """Bytes of a head that has not ended."""
        self._is_past_head = False
        self._is_refused = False
        self._extensions: Any = {HANG_UP: self.hang_up}
        self._answered: RequestResponseCycle | None = None
        """The request that was begun to be answered last; `cycle` is the one that came last."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        is_idle = self._is_idle()
        if is_idle or not self.cycle.more_body:
            self._unread += len(data)
        super().data_received(data)
        if self._unread > MOST:
            self._refuse_head(is_first=is_idle)
        elif self._unread and is_idle:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what cannot be read; `msg` says no more than that."""
        cycle: RequestResponseCycle = self.cycle
        if self._is_idle() or (cycle.more_body and not cycle.response_started):
            self._refuse(InvalidRequest("This is no HTTP that can be read."))
        else:
            self._end_with_answer()

    def handle_websocket_upgrade(self) -> None:
        """Hand a handshake on, but a good one only.

        What takes it from here answers others by bare text, or not at all, and lets them wait.
        """
        if not self._is_idle():
            self._end_with_answer()
            return
        lines = [self.url, *(name + value for name, value in self.headers)]
        if len(lines) > MOST_LINES or max(map(len, lines)) > MOST_LINE:
            self._refuse(HeadersTooLarge())
        elif _is_handshake(self.scope, self.headers):
            super().handle_websocket_upgrade()
        else:
            self._refuse(InvalidRequest("This is no opening handshake of a WebSocket."))

    def on_message_begin(self) -> None:
        self._is_past_head = False
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but not what follows the body: uvicorn would take it for a header, too.

        A proxy replaces headers that only it may set, and may pass those trailers on.
        """
        if not self._is_past_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take a request, unless too many wait: those are answered, and then it is closed.

        Raises:
            InvalidRequest: the parser is to stop here.
        """
        if self.ignores_upgrade():
            return  # it comes once more
        if len(self.pipeline) >= MOST_WAITING:
            raise InvalidRequest("Too many requests wait on this connection.")
        self._is_past_head = True
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.ignores_upgrade():
            super().on_message_complete()

    def ignores_upgrade(self) -> bool:
        """Whether the request whose head was read last asks for a protocol that is not spoken."""
        return (
            self.parser.should_upgrade()
            and self.parser.get_method() != b"CONNECT"
            and not self._should_upgrade()
        )

    def plain_head(self) -> bytes:
        """Return its head without that wish."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", b""])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whom it concerns; uvicorn tells the request that came last, which may still wait."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse_head(self, *, is_first: bool) -> None:
        """Refuse a head that is too large; one that follows another request goes unanswered."""
        if is_first:
            self._refuse(HeadersTooLarge())
        else:
            self._is_refused = True
            self._end_with_answer()

    def _refuse(self, error: ParleyError) -> None:
        """Answer with an error, and close when the client has had time to read it.

        Closed at once, the connection would be reset under a client who still sends.
        """
        self._is_refused = True
        self._stop_waiting()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        self.transport.write(
            _on_the_wire(without_request(error), self.server_state.default_headers)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _end_with_answer(self) -> None:
        """Say nothing: what came follows a request whose answer is on its way, the last one."""
        cycle: RequestResponseCycle = self.cycle
        cycle.keep_alive = False

    def _is_idle(self) -> bool:
        """Whether what comes next is a head, or the rest of one."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(
                chat_settings.REQUEST_TIMEOUT, self.transport.close
            )

    def _stop_waiting(self) -> None:
        self._unread = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _is_handshake(scope: HTTPScope, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether it is one by RFC 6455, 4.2.1, each header once, from one origin at most."""
    values = [[v.strip() for name, v in headers if name == wanted] for wanted in HANDSHAKE]
    matches = zip(values, HANDSHAKE.values(), strict=True)
    is_get = (scope["method"], scope["http_version"]) == ("GET", "1.1")
    origins = sum(name == b"origin" for name, _ in headers)
    return (
        is_get
        and all(len(v) == 1 and form.fullmatch(v[0]) for v, form in matches)
        and all(WORDS.fullmatch(value) for name, value in headers if name in LISTS)
        and origins <= 1
    )


def _on_the_wire(response: HttpResponse, standing: list[tuple[bytes, bytes]]) -> bytes:
    """Return a response as bytes, the last one of its connection; `standing`: uvicorn's headers."""
    lines = [
        f"HTTP/1.1 {response.status_code} {response.reason_phrase}".encode(),
        *(b"%b: %b" % header for header in standing),
        response.serialize_headers(),
        b"Connection: close",
    ]
    return b"\r\n".join([*lines, b"", response.content])
