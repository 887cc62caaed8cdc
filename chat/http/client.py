"""HTTP requests to one URL, on connections of an event loop.

This is HTTP/1.1 for models, webhooks and key sets, and nothing else: no redirects, cookies, proxies
or decoding. See docs/adr/0034-event-loop.md for the reasons against a library.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from weakref import WeakSet

from chat.http.errors import Disconnected
from chat.http.framing import framing_of
from chat.http.head import Head, HeadReader
from chat.http.loop_connection import Connection, Resolve, connect, resolve_name
from chat.http.target import Target
from chat.http.tls import default_context


class Response:
    """A response whose body has not been read yet."""

    def __init__(self, connection: Connection, head: Head, read_timeout: float) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        # Seconds to wait for more of the body.
        self.read_timeout = read_timeout
        self._connection = connection
        self._keeps_alive = head.keeps_alive
        self._framing = framing_of(head.status, head.headers)

    @property
    def can_reuse_connection(self) -> bool:
        """Whether the body was read to its end, and the server keeps the connection open."""
        connection = self._connection
        is_clean = self._framing.is_done and not connection.buffer and not connection.has_ended
        return is_clean and self._keeps_alive and self._framing.is_reusable

    async def read(self) -> bytes:
        """Return what has arrived of the body, or wait for more; b"" at the end.

        Raises:
            Disconnected, InvalidHTTP, OSError: after everything that arrived before was returned.
        """
        connection, framing = self._connection, self._framing
        while True:
            if data := framing.take(connection.buffer):
                return data
            if framing.is_done:
                return b""
            if connection.has_ended:
                await connection.wait(0)  # raises the error of the connection, if it had one
                framing.end()
                return b""
            await connection.wait(self.read_timeout)


class HTTPClient:
    """Requests one URL. Each event loop of the process has its own connections."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        tls: ssl.SSLContext | None = None,
        max_idle: int = 0,
        resolve: Resolve = resolve_name,
    ) -> None:
        """Create the client; this connects to nothing.

        tls: replaces the public certificate authorities for an https URL; max_idle: connections
        that are kept open while no request uses them.

        Raises:
            ValueError: it is not an http(s) URL.
        """
        self._target = target = Target.from_url(url)
        self._tls = (tls or default_context()) if target.is_tls else None
        self._connect_timeout = connect_timeout
        self._max_idle = max_idle
        self._resolve = resolve
        self._idle: dict[asyncio.AbstractEventLoop, deque[Connection]] = {}

    @asynccontextmanager
    async def request(
        self,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        read_timeout: float,
    ) -> AsyncGenerator[Response]:
        """Send a request and yield the response; then keep the connection or close it.

        It is kept if the response was read to its end. Cancelling the task closes it at once.

        read_timeout: seconds to wait for more of the response.

        Raises:
            ConnectTimeout, Disconnected, InvalidHTTP, OSError
        """
        request = self._target.request(method, headers, body)
        connection, head = await self._send(request, read_timeout)
        response = None
        try:
            response = Response(connection, head, read_timeout)
            yield response
        finally:
            if response is not None and response.can_reuse_connection:
                self._keep(connection)
            else:
                connection.abort()

    def close(self) -> None:
        """Close the connections of the running event loop that are not in use."""
        for connection in self._idle.pop(asyncio.get_running_loop(), ()):
            connection.abort()

    async def _send(self, request: bytes, read_timeout: float) -> tuple[Connection, Head]:
        """Send the request, and repeat it if the server has just closed an idle connection."""
        if connection := self._take_idle():
            before = connection.received
            try:
                return connection, await _exchange(connection, request, read_timeout)
            except (Disconnected, ConnectionError):
                if connection.received > before:
                    raise
        connection = await self._connect()
        return connection, await _exchange(connection, request, read_timeout)

    async def _connect(self) -> Connection:
        return await connect(
            self._target.host,
            self._target.port,
            tls=self._tls,
            seconds=self._connect_timeout,
            resolve=self._resolve,
        )

    def _take_idle(self) -> Connection | None:
        idle = self._idle.get(asyncio.get_running_loop())
        while idle:
            connection = idle.pop()
            if not connection.has_ended and not connection.buffer:
                return connection
            connection.abort()  # the server has closed it, or sent unrequested data
        return None

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        idle = self._idle.get(loop)
        if idle is None:
            idle = self._idle[loop] = deque()
            _clients.add(self)
        if len(idle) < self._max_idle:
            idle.append(connection)
        else:
            connection.abort()


# Those that may have connections.
_clients: WeakSet[HTTPClient] = WeakSet()


def close_connections() -> None:
    """Close all connections of the running event loop that are not in use."""
    for each in list(_clients):
        each.close()


async def _exchange(connection: Connection, request: bytes, read_timeout: float) -> Head:
    """Send the request and return the head of its response; close the connection on an error."""
    has_head = False
    try:
        connection.send(request)
        reader = HeadReader()
        while (head := reader.take(connection.buffer)) is None:
            if connection.has_ended:
                await connection.wait(0)
                raise Disconnected("no response")
            await connection.wait(read_timeout)
        has_head = True
        return head
    finally:
        if not has_head:
            connection.abort()
