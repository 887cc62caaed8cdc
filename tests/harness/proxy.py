"""A TCP proxy on loopback that delays, pauses, drops and cuts connections."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit, urlunsplit

# Bytes per read. A marker that a test looks for is much shorter, and arrives in one block.
BLOCK_BYTES = 65536

# Receives each block of a client before it is forwarded; returns whether to drop the block.
Filter = Callable[["Connection", bytes], bool]


@dataclass(slots=True, eq=False)
class Connection:
    """A client's connection, and the proxy's own connection to the server."""

    client: socket.socket
    server: socket.socket
    # Cleared while the connection is paused, in both directions.
    flowing: threading.Event = field(default_factory=threading.Event)
    # Whether all blocks are dropped, and neither side learns that the other has closed.
    is_dead: bool = False
    # Whether to close both sides instead of forwarding the server's next block.
    drops_response: bool = False

    def close(self) -> None:
        """Close both sides. Paused blocks are lost, and the reading threads end."""
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        self.flowing.set()


class Proxy:
    """Forwards connections to the server at `url`."""

    def __init__(self, url: str) -> None:
        """Start to listen; the server may start later."""
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        login, at, _ = parts.netloc.rpartition("@")
        # The server's URL with the proxy's address.
        self.url = urlunsplit(parts._replace(netloc=f"{login}{at}{self._netloc()}"))
        # Seconds added to each block.
        self.delay = 0.0
        # Set when a block matches `pause_before`, `pause_after` or `drop_response_to`.
        self.triggered = threading.Event()
        self._connections: set[Connection] = set()
        self._is_paused = False
        self._filter: Filter | None = None
        self._closing = threading.Event()
        self._accept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse_connections()

    def pause(self) -> None:
        """Forward nothing until `resume`, on existing and new connections."""
        self._is_paused = True
        for connection in self._connections.copy():
            connection.flowing.clear()

    def resume(self) -> None:
        """Forward everything again, paused blocks first."""
        self._is_paused = False
        for connection in self._connections.copy():
            connection.flowing.set()

    def half_open(self) -> int:
        """Make existing connections dead while both sides believe that they are open.

        New connections work. Returns the number of dead connections.
        """
        dying = self._connections.copy()
        for connection in dying:
            connection.is_dead = True
        return len(dying)

    def disconnect(self) -> None:
        """Close all connections; new ones work."""
        for connection in self._connections.copy():
            connection.close()

    def refuse_connections(self) -> None:
        """Close all connections, and refuse new ones."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.disconnect()

    def accept_connections(self) -> None:
        """Listen again after `refuse_connections`."""
        self._listener = socket.create_server(self._address)
        self._accept()

    def pause_before(self, marker: str) -> None:
        """Pause the first connection whose client sends `marker`, without forwarding it."""

        def pause(connection: Connection, block: bytes) -> bool:
            if marker.encode() not in block:
                return False
            connection.flowing.clear()
            self._trigger()
            return False

        self._set_filter(pause)

    def pause_after(self, marker: str) -> None:
        """Pause the first connection whose client sends `marker`, after forwarding that block."""

        def pause(connection: Connection, block: bytes) -> bool:
            if marker.encode() not in block:
                return False
            connection.flowing.clear()
            connection.server.sendall(block)
            self._trigger()
            return True

        self._set_filter(pause)

    def drop_response_to(self, marker: str, *, times: int = 1) -> None:
        """Forward the first blocks with `marker`, but close their connections, not responding."""
        left = iter(range(times - 1, -1, -1))

        def drop(connection: Connection, block: bytes) -> bool:
            if marker.encode() in block:
                connection.drops_response = True
                if next(left) == 0:
                    self._filter = None
            return False

        self._set_filter(drop)

    def _set_filter(self, filter_: Filter) -> None:
        self.triggered.clear()
        self._filter = filter_

    def _trigger(self) -> None:
        self._filter = None
        self.triggered.set()

    def _netloc(self) -> str:
        host, port = self._address
        return f"{host}:{port}"

    def _accept(self) -> None:
        self._closing.clear()
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=1)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(client, server)
        if not self._is_paused:
            connection.flowing.set()
        self._connections.add(connection)
        threading.Thread(target=self._forward, args=(connection,), daemon=True).start()

    def _forward(self, connection: Connection) -> None:
        """Forward blocks in both directions until either side closes."""
        back = threading.Thread(target=self._forward_responses, args=(connection,), daemon=True)
        back.start()
        self._forward_requests(connection)
        back.join()
        self._connections.discard(connection)
        connection.client.close()
        connection.server.close()

    def _forward_requests(self, connection: Connection) -> None:
        with suppress(OSError):
            while block := connection.client.recv(BLOCK_BYTES):
                current_filter = self._filter
                if current_filter is not None and current_filter(connection, block):
                    continue
                self._wait(connection)
                if not connection.is_dead:
                    connection.server.sendall(block)
        self._close(connection)

    def _forward_responses(self, connection: Connection) -> None:
        with suppress(OSError):
            while block := connection.server.recv(BLOCK_BYTES):
                self._wait(connection)
                if connection.drops_response:
                    self.triggered.set()
                    break
                if not connection.is_dead:
                    connection.client.sendall(block)
        self._close(connection)

    def _wait(self, connection: Connection) -> None:
        if self.delay:
            self._closing.wait(self.delay)
        connection.flowing.wait()

    def _close(self, connection: Connection) -> None:
        """Close both sides, unless the connection is half-open."""
        if not connection.is_dead:
            connection.close()
