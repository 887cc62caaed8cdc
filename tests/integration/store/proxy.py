"""A proxy before Redis that counts round trips and drops replies."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Thread

BLOCK = 1 << 16


class Proxy:
    """A TCP proxy on a loopback port."""

    def __init__(self, server_port: int) -> None:
        # Times that a client sent data after the server had.
        self.round_trips = 0
        # Drop the server's next data and close that connection, once.
        self.drop_next_reply = False
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        Thread(target=self._accept, daemon=True).start()

    def count_round_trips(self, operation: Callable[[], object]) -> int:
        """Return the number of round trips of an operation."""
        before = self.round_trips
        operation()
        return self.round_trips - before

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        speaker = server
        with suppress(OSError), client, server:
            while True:
                last, speaker = speaker, select([client, server], [], [])[0][0]
                data = speaker.recv(BLOCK)
                if not data or (speaker is server and self._must_drop()):
                    return
                self.round_trips += speaker is client and last is server
                (server if speaker is client else client).sendall(data)

    def _must_drop(self) -> bool:
        lost, self.drop_next_reply = self.drop_next_reply, False
        return lost

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def running_proxy(server_port: int) -> Iterator[Proxy]:
    proxy = Proxy(server_port)
    yield proxy
    proxy.close()
