"""Pooled connections that are lent to the call they serve, so that it can be closed at any moment.

urllib3's pool knows when a connection begins and ends to serve a call (`_get_conn`, `_put_conn`)
and its connection where a socket is made (`_new_conn`). These are overridden here and nowhere
else, beside what http.client sends by; tests/integration/providers/test_close.py fails when a
release of urllib3 changes them.
"""

import errno
import os
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.wait import wait_for_write

from chat.http.cancellation import CancellableCall

# A model may think for minutes without a byte: keepalives hold the path open, and tell within a
# minute that the other side is gone.
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


class _Calling(threading.local):
    upstream: CancellableCall


calling = _Calling()
"""The call that this thread is sending; the only way through requests and urllib3 to the pool."""


class Connection(HTTPConnection):
    """A plain connection that lends its socket to the call it serves.

    It sends a request, which always has a body, in one piece. http.client sends head and body by
    themselves, and the model's server wakes up twice.
    """

    upstream: CancellableCall
    """The call that it serves, or served last."""
    _head = b""
    _is_at_head = False

    def connect(self) -> None:
        super().connect()
        self.upstream.attach(self.sock)

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        self._is_at_head = True
        super().endheaders(*arguments, **options)

    def send(self, data: Any) -> None:
        if self._is_at_head:
            self._head, self._is_at_head = data, False
        else:
            super().send(self._head + data)
            self._head = b""

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        until = time.monotonic() + float(self.timeout or 0)
        failure: OSError | None = None
        for family, _, _, _, address in found:
            self.upstream.raise_if_cancelled()
            try:
                return self._dial(family, address, until - time.monotonic())
            except OSError as error:
                failure = error
        raise self._dial_error(failure) from failure

    def _dial(self, family: int, address: Any, timeout: float) -> socket.socket:
        """Connect like `socket.create_connection`, but let `close` interrupt it."""
        with ExitStack() as failing:
            sock = failing.enter_context(socket.socket(family, socket.SOCK_STREAM))
            for option in SOCKET_OPTIONS:
                sock.setsockopt(*option)
            sock.setblocking(False)
            code = sock.connect_ex(address)
            # Only now: shutting down a socket that does not connect yet would stop nothing.
            self.upstream.attach(sock)
            if code == errno.EINPROGRESS:
                if not wait_for_write(sock, timeout=max(timeout, 0)):
                    raise TimeoutError
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.upstream.raise_if_cancelled()
            if code:
                raise OSError(code, os.strerror(code))
            sock.settimeout(self.timeout)
            failing.pop_all()
        return sock

    def _dial_error(self, failure: OSError | None) -> Exception:
        if isinstance(failure, TimeoutError):
            return ConnectTimeoutError(self, f"no connection to {self.host} in {self.timeout} s")
        return NewConnectionError(self, f"no connection to {self.host}: {failure}")


class TLSConnection(Connection, HTTPSConnection):
    """The same over TLS."""

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # The handshake takes `sock` apart; its twin reaches the same connection meanwhile.
        with sock.dup() as twin:
            self.upstream.attach(twin)
        return sock


class Pool(HTTPConnectionPool):
    """Lends each connection to the call that takes it, and takes it back with the connection."""

    ConnectionCls = Connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        connection.upstream = calling.upstream
        if connection.sock is not None:
            connection.upstream.attach(connection.sock)
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.upstream.detach()
            if conn.upstream.is_cancelled:
                conn.close()
        super()._put_conn(conn)


class TLSPool(Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = TLSConnection
