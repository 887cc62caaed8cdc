"""uvicorn's HTTP protocol with limits on the size and time of request heads.

uvicorn waits for the rest of a head without a timeout and keeps all of it. `body.py` limits bodies.
"""

import asyncio
from functools import partial
from typing import Any

from django.http import HttpResponse
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chat.accounts.connections import Connection
from chat.api.exception_handler import error_response_without_request
from chat.domain.errors import (
    HeadersTooLarge,
    InvalidRequest,
    ParleyError,
    RateLimited,
    Unavailable,
)
from chat.realtime.close_codes import ABORT
from chat.settings import chat_settings
from project.server import delayed_errors
from project.server.body import LINGER_SECONDS
from project.server.delayed_errors import DelayedError, send_error
from project.server.h2_upgrade import UpgradeIgnoringParser
from project.server.handshake import handshake_error
from project.server.head_buffer import HeadBuffer
from project.server.write_timeout import WriteTimeoutMixin

# Request line and headers; many times what any client sends.
MAX_HEAD_BYTES = 64 * 1024
# Requests that wait on one connection. One read can bring thousands, and each takes 2 kB.
MAX_PIPELINED_REQUESTS = 32
# Seconds within which a connection beyond a limit must send its request.
SURPLUS_TIMEOUT = 2.0
# Paths that it may request: those of `chat.api.probes`, also below a prefix, `/` and `*`.
PROBE_PATHS = (b"/live", b"/ready")
# Seconds after which its client may try again.
SURPLUS_RETRY_AFTER = 5.0
# Seconds that an idle connection of a trusted proxy is kept open: nginx keeps it for 60 s, HAProxy
# for less. A proxy that sends a request while its server closes the connection gets no response.
PROXY_KEEP_ALIVE = 75


class HTTPProtocol(WriteTimeoutMixin, HttpToolsProtocol):
    """Closes connections that do not send a complete head in time, and rejects large heads.

    The time starts with the connection or, for a later request, with its first byte. Between two
    requests, uvicorn's `--timeout-keep-alive` applies, or `PROXY_KEEP_ALIVE`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = UpgradeIgnoringParser(self)
        self._timer: asyncio.TimerHandle | None = None
        # Bytes of a head that is not complete yet.
        self._head_bytes = 0
        self._is_head_complete = False
        # Whether all further bytes are ignored.
        self._is_rejected = False
        self._extensions: Any = {ABORT: self.abort}
        # The request that is being answered; `self.cycle` is the one that arrived last.
        self._running_cycle: RequestResponseCycle | None = None
        # A request that waits until the client has read the response to the previous one.
        self._delayed: tuple[RequestResponseCycle, ASGI3Application] | None = None

    def connection_made(self, transport: Any) -> None:
        """Close connections of addresses with many delayed errors first: it takes least time."""
        if delayed_errors.is_flooding(transport):
            transport.abort()
            return
        super().connection_made(transport)
        if self._connection.is_proxy:
            self.timeout_keep_alive = max(self.timeout_keep_alive, PROXY_KEEP_ALIVE)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        if self._is_rejected:
            return
        is_idle = self._is_idle()
        if is_idle or not self.cycle.more_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._reject_head(is_first=is_idle)
        elif self._head_bytes and is_idle:
            self._start_head_timer()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # it holds no details
        cycle: RequestResponseCycle = self.cycle
        if self._is_idle() or (cycle.more_body and not cycle.response_started):
            self._reject(InvalidRequest("The request is not valid HTTP."))
        else:
            self._close_after_response()

    def handle_websocket_upgrade(self) -> None:
        """Pass valid handshakes on.

        `websockets` answers others with plain text or not at all, and sets no timeout.
        """
        if not self._is_idle():
            self._close_after_response()
            return
        error = self._limit_error() or handshake_error(self.scope, self.url, self.headers)
        if error is not None:
            self._reject(error)
            return
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._is_head_complete = False
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        """Ignore trailers, which uvicorn would add to the headers.

        A proxy that replaces a client's header may still pass on a trailer of the same name.
        """
        if not self._is_head_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start or queue the request.

        Raises:
            InvalidRequest: the Host header is missing or repeated, or too many requests are queued.
                It stops the parser; the queued requests are answered, and the connection is closed.
        """
        if self.is_ignored_upgrade():
            return  # the parser parses the head again
        if not _has_valid_host(self.parser.get_http_version(), self.headers):
            raise InvalidRequest("The Host header is missing or repeated.")
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            raise InvalidRequest("Too many pipelined requests.")
        self._is_head_complete = True
        self._stop_head_timer()
        is_handshake = self.parser.should_upgrade() and self._should_upgrade()
        application, error = self.app, None if is_handshake else self._limit_error()
        if error is not None:
            self.app = self._error_application(error)
        super().on_headers_complete()
        self.app = application
        if not is_handshake and (error or self._connection.is_surplus):
            self._close_after_response()

    def on_message_complete(self) -> None:
        if not self.is_ignored_upgrade():
            super().on_message_complete()

    def is_ignored_upgrade(self) -> bool:
        """Whether the last head asks for a protocol that the server does not speak."""
        return (
            self.parser.should_upgrade()
            and self.parser.get_method() != b"CONNECT"
            and not self._should_upgrade()
        )

    def head_without_upgrade(self) -> bytes:
        """Return the last head without its `Upgrade` header."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", b""])

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the running request; uvicorn notifies the last one, which may still be queued."""
        if self.transport is None:  # it was closed at once
            return
        self._stop_head_timer()
        super().connection_lost(exc)
        if self._running_cycle is not None:
            self._running_cycle.disconnected = True
            self._running_cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start the request, unless its response would be buffered in addition to another one."""
        if self.flow.write_paused:
            self._delayed = (cycle, app)
        else:
            self._running_cycle = cycle
            buffer: Any = HeadBuffer(self.transport, self.loop, self._close_connection)
            cycle.transport = buffer
            super()._start_asgi_task(cycle, app)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._delayed is not None:
            delayed, self._delayed = self._delayed, None
            self._start_asgi_task(*delayed)

    def on_response_complete(self) -> None:
        if not self.pipeline:
            self._connection.end_request()
        super().on_response_complete()

    @property
    def _connection(self) -> Connection:
        connection: Connection = self.transport.connection
        return connection

    def _limit_error(self) -> ParleyError | None:
        """Return the error if a limit on connections, or on invalid requests, forbids it."""
        if _is_probe(self.url):
            return None
        if not self._connection.begin_request(self.headers):
            message = "Too many connections from this address."
            return RateLimited(message, retry_after=SURPLUS_RETRY_AFTER)
        if self._connection.is_surplus:
            return Unavailable("Too many connections.", retry_after=SURPLUS_RETRY_AFTER)
        return delayed_errors.refusal(self._connection.address)

    def _error_application(self, error: ParleyError) -> Any:
        address = self._connection.address
        if delayed_errors.refusal(address) is None:
            return partial(send_error, error)
        return DelayedError(error, address, None if self._connection.is_proxy else self.abort)

    def _reject_head(self, *, is_first: bool) -> None:
        """Reject a head that is too large, without a response if it follows another request."""
        if is_first:
            self._reject(HeadersTooLarge())
        else:
            self._is_rejected = True
            self._close_after_response()

    def _reject(self, error: ParleyError) -> None:
        """Send an error response, and close once the client has had time to read it.

        An immediate close would reset the connection of a client that is still sending.
        """
        self._is_rejected = True
        self._stop_head_timer()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        self.transport.write(
            _serialize(error_response_without_request(error), self.server_state.default_headers)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _close_connection(self) -> None:
        """Close after the last response; that of a proxy which still sends a body a second later.

        The proxy would take a closed connection for a failure of Parley, and return 502. It closes
        the connection itself when it has read the response.
        """
        cycle = self._running_cycle
        if self._connection.is_proxy and cycle is not None and cycle.more_body:
            self._is_rejected = True
            self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _close_after_response(self) -> None:
        """Close after the response in progress; the data that follows its request gets none."""
        cycle: RequestResponseCycle = self.cycle
        cycle.keep_alive = False

    def _is_idle(self) -> bool:
        """Whether no request is in progress, so that the next bytes belong to a head."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _start_head_timer(self) -> None:
        if self._timer is None:
            is_surplus = self._connection.is_surplus
            timeout = SURPLUS_TIMEOUT if is_surplus else chat_settings.REQUEST_TIMEOUT
            self._timer = self.loop.call_later(timeout, self.transport.close)

    def _stop_head_timer(self) -> None:
        self._head_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_probe(url: bytes) -> bool:
    path = url.partition(b"?")[0].removesuffix(b"/")
    return path in {b"", b"*"} or path.endswith(PROBE_PATHS)


def _has_valid_host(version: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether there is one Host header, which HTTP/1.0 does not require (RFC 9112, 3.2)."""
    hosts = sum(name == b"host" for name, _ in headers)
    return hosts == 1 or (hosts == 0 and version == "1.0")


def _serialize(response: HttpResponse, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the connection's last response as bytes, with uvicorn's default headers."""
    lines = [
        f"HTTP/1.1 {response.status_code} {response.reason_phrase}".encode(),
        *(b"%b: %b" % header for header in default_headers),
        response.serialize_headers(),
        b"Connection: close",
    ]
    return b"\r\n".join([*lines, b"", response.content])
