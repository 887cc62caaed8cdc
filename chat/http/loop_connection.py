"""One HTTP connection of an event loop."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, cast

from chat.http.errors import ConnectTimeout, Disconnected

# What `socket.getaddrinfo` returns: family, type, protocol, canonical name, address.
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
Resolve = Callable[[str, int], Awaitable[list[AddressInfo]]]

# A model may take minutes for its first byte. Keepalive probes prevent middleboxes from dropping
# the idle connection, and detect a dead peer within a minute.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in _KEEPALIVE.items()
        if hasattr(socket, name)  # macOS lacks some
    ),
]
# Bytes that are buffered before the connection stops reading.
HIGH_WATER = 256 * 1024


class Connection(asyncio.Protocol):
    """Buffers what the server sends. One task uses it at a time."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        # Bytes received so far.
        self.received = 0
        # Whether the server will send no more.
        self.has_ended = False
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        # By the loop's clock: when the wait times out, and when the timer checks that. It was often
        # started for an earlier wait: starting one for each takes longer than most waits.
        self._deadline = self._checked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.received += len(data)
        if len(self.buffer) > HIGH_WATER and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.has_ended = True
        self._wake()
        return False  # closes the transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self._error = exc
        self._stop_timer()
        self._wake()

    def send(self, data: bytes) -> None:
        """Send data after what was sent before; it may be buffered."""
        if self._transport is None or self.has_ended:
            raise Disconnected("closed by the server")
        self._transport.write(data)

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109  # `asyncio.timeout` takes 7 us
        """Wait until more data has arrived, or the server has closed the connection.

        Raises:
            TimeoutError: neither happened within `timeout` seconds.
            OSError: the connection failed.
        """
        if self.has_ended:
            self._raise_error()
            return
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._deadline = loop.time() + timeout
        if self._timer is None or self._checked_at > self._deadline:
            self._start_timer(loop)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def abort(self) -> None:
        """Close the connection at once."""
        transport, self._transport = self._transport, None
        self.has_ended = True
        self._stop_timer()
        if transport is not None:
            transport.abort()

    def _raise_error(self) -> None:
        if isinstance(self._error, OSError):
            raise self._error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _start_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stop_timer()
        self._checked_at = self._deadline
        self._timer = loop.call_at(self._deadline, self._check_deadline, loop)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_deadline(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if loop.time() < self._deadline:
            self._start_timer(loop)
        else:
            self._waiter.set_exception(TimeoutError("the server sent nothing in time"))


async def resolve_name(host: str, port: int) -> list[AddressInfo]:
    loop = asyncio.get_running_loop()
    found: Any = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return cast("list[AddressInfo]", found)


async def connect(
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None,
    seconds: float,
    resolve: Resolve = resolve_name,
) -> Connection:
    """Connect to one of the addresses that `resolve` returns, in order.

    Raises:
        ConnectTimeout: it took longer than `seconds`.
        OSError: the name is unknown, no address accepts the connection, or TLS failed.
    """
    try:
        async with asyncio.timeout(seconds):
            sock = await _dial_any(await resolve(host, port))
            return await _start(sock, tls, host)
    except TimeoutError as error:
        raise ConnectTimeout(f"no connection in {seconds} s") from error


async def _dial_any(found: list[AddressInfo]) -> socket.socket:
    failure = OSError("the host has no address")
    for family, _, _, _, address in found:
        try:
            return await _dial(family, address)
        except OSError as error:
            failure = error
    raise failure


async def _dial(family: int, address: Any) -> socket.socket:
    with ExitStack() as on_error:
        sock = on_error.enter_context(socket.socket(family, socket.SOCK_STREAM))
        for option in SOCKET_OPTIONS:
            sock.setsockopt(*option)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        on_error.pop_all()
    return sock


async def _start(sock: socket.socket, tls: ssl.SSLContext | None, host: str) -> Connection:
    """Return the connection. The event loop closes the socket, also if TLS fails."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        Connection, sock=sock, ssl=tls, server_hostname=host if tls else None
    )
    return connection
