"""Blocking connections for webhooks, which attach their sockets to the call they serve.

So a call can end in time, wherever it waits. urllib3's pool knows when a connection starts and
stops serving a call (`_get_conn`, `_put_conn`), and its connection where a socket is created
(`_new_conn`). http.client knows where a status line is read (`_read_status`). Only this module uses
them. test_ssrf.py, test_delivery.py and test_interim_responses.py fail when a release of urllib3 or
Python changes them.
"""

import errno
import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPException, HTTPResponse, parse_headers
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.wait import wait_for_write

from chat.http.cancellation import CancellableCall, current_call
from chat.http.head import MAX_HEAD_BYTES, MAX_INTERIM_RESPONSES
from chat.http.loop_connection import SOCKET_OPTIONS, AddressInfo

Resolve = Callable[[str, int], list[AddressInfo]]

_SWITCHING_PROTOCOLS = 101
_FINAL = 200


def resolve_name(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Response(HTTPResponse):
    """Skips interim responses: 102 Processing, 103 Early Hints and unknown ones.

    http.client skips only 100 Continue, any number of times, and takes others for the response.
    It limits the length and the number of header lines, but not their sum.
    """

    fp: Any

    def begin(self) -> None:
        file = self.fp
        self.fp = _Head(file)
        try:
            super().begin()
        finally:
            if self.fp is not None:  # else it was closed
                self.fp = file

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM_RESPONSES + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status >= _FINAL or status == _SWITCHING_PROTOCOLS:
                return version, status, reason
            parse_headers(self.fp)
        raise HTTPException(f"more than {MAX_INTERIM_RESPONSES} interim responses")


class _Head:
    """A file of which only `MAX_HEAD_BYTES` can be read, by lines."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MAX_HEAD_BYTES
        self.close = file.close

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise HTTPException(f"a response head of more than {MAX_HEAD_BYTES} bytes")
        return line


class Connection(HTTPConnection):
    """A connection that connects to the addresses that `resolve` returns, in order."""

    response_class = Response
    call: CancellableCall
    resolve: Resolve

    def connect(self) -> None:
        super().connect()
        self.call.attach(self.sock)

    def _new_conn(self) -> socket.socket:
        try:
            found = self.resolve(self._dns_host, self.port)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        deadline = time.monotonic() + (self.timeout or 0)  # every caller sets one
        failure: OSError | None = None
        for family, _, _, _, address in found:
            self.call.raise_if_cancelled()
            try:
                return self._dial(family, address, deadline - time.monotonic())
            except OSError as error:
                failure = error
        raise self._dial_error(failure) from failure

    def _dial(self, family: int, address: Any, timeout: float) -> socket.socket:
        """Connect like `socket.create_connection`, but let `cancel` interrupt it."""
        with ExitStack() as on_error:
            sock = on_error.enter_context(socket.socket(family, socket.SOCK_STREAM))
            for option in SOCKET_OPTIONS:
                sock.setsockopt(*option)
            sock.setblocking(False)
            code = sock.connect_ex(address)
            # Attach after connect_ex: shutting down an unconnected socket has no effect.
            self.call.attach(sock)
            if code == errno.EINPROGRESS:
                if not wait_for_write(sock, timeout=max(timeout, 0)):
                    raise TimeoutError
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.call.raise_if_cancelled()
            if code:
                raise OSError(code, os.strerror(code))
            sock.settimeout(self.timeout)
            on_error.pop_all()
        return sock

    def _dial_error(self, failure: OSError | None) -> Exception:
        if isinstance(failure, TimeoutError):
            return ConnectTimeoutError(self, f"no connection to {self.host} in {self.timeout} s")
        return NewConnectionError(self, f"no connection to {self.host}: {failure}")


class TLSConnection(Connection, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # The handshake detaches the descriptor from `sock`; a duplicate reaches the connection.
        with sock.dup() as duplicate:
            self.call.attach(duplicate)
        return sock


class Pool(HTTPConnectionPool):
    """Gives each connection the call of the thread that takes it from the pool."""

    ConnectionCls = Connection

    def __init__(self, *args: Any, resolve: Resolve = resolve_name, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._resolve = resolve

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.resolve = self._resolve
        return connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        connection.call = current_call.get()
        if connection.sock is not None:
            connection.call.attach(connection.sock)
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.call.detach()
            if conn.call.is_cancelled:
                conn.close()
        super()._put_conn(conn)


class TLSPool(Pool, HTTPSConnectionPool):
    ConnectionCls = TLSConnection
