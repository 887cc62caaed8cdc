"""Attacks of one address on a web process, and a healthy client of another address.

Linux routes the whole of 127.0.0.0/8 to loopback, so each address of it is another client.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.integration.api.client import TIMEOUT, APIClient

ATTACKER = "127.0.0.66"
HEALTHY = "127.0.0.7"
# Bytes that the kernel buffers for a slow reader; its minimum is about this.
RECEIVE_BUFFER = 4096


class Attack:
    """Many connections of one address that stay open until the end of the context.

    An address whose requests were rejected gets errors for some seconds, in later tests as well.
    """

    def __init__(self, url: str, address: str = ATTACKER) -> None:
        self._address = address
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._host = parts.netloc
        self._exit_stack = ExitStack()
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit_stack.close()

    def connect(self, address: str = "") -> socket.socket:
        client = self._exit_stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        client.settimeout(TIMEOUT)
        client.bind((address or self._address, 0))
        client.connect(self._server)
        self.sockets.append(client)
        return client

    def read_slowly(self, owner: APIClient, path: str) -> None:
        """Send a request, and do not read the response."""
        self.connect().sendall(
            b"GET %b HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer %b\r\n\r\n"
            % (path.encode(), self._host.encode(), owner.token.encode())
        )

    def send_unfinished(self, path: str, *, size: int, token: str = "", cookie: str = "") -> None:
        """Send a request without the last byte of its body."""
        client = self.connect()
        client.sendall(
            b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %b\r\nCookie: %b\r\nContent-Length: %d\r\n\r\n"
            % (path.encode(), self._host.encode(), token.encode(), cookie.encode(), size)
        )
        with suppress(OSError):  # the server has closed the connection
            client.settimeout(1)
            client.sendall(b"x" * (size - 1))

    def open_stream(self, owner: APIClient) -> None:
        """Subscribe to events."""
        self.read_slowly(owner, f"{owner.path}/events")


def get_from(address: str, url: str, path: str, token: str = "") -> bytes:
    """Return the response to a request from this address."""
    return pipeline(address, url, [path], token)


def pipeline(address: str, url: str, paths: Sequence[str], token: str = "") -> bytes:
    """Return the responses to requests that this address sends at once on one connection.

    They arrive faster than any limit, however slow the machine is.
    """
    parts = urlsplit(url)
    server = (parts.hostname or "", parts.port or 80)
    requests = [
        b"GET %b HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer %b\r\n"
        % (path.encode(), parts.netloc.encode(), token.encode())
        for path in paths
    ]
    with socket.create_connection(server, TIMEOUT, (address, 0)) as client:
        client.sendall(b"\r\n".join(requests) + b"Connection: close\r\n\r\n")
        response = b""
        while chunk := client.recv(65536):
            response += chunk
    return response


class Measurement:
    """Repeats an act in a thread, and measures each time in seconds."""

    def __init__(self, act: Callable[[], None], pause: float) -> None:
        """pause: seconds between two of them."""
        self.times: list[float] = []
        self._act, self._pause = act, pause
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped.wait(self._pause):
            started = time.perf_counter()
            self._act()
            self.times.append(time.perf_counter() - started)


class HealthyClient(Measurement):
    """Polls its own session from another address."""

    def __init__(self, owner: APIClient, pause: float) -> None:
        super().__init__(self._poll, pause)
        self.owner = owner
        self.failures: list[bytes] = []

    def _poll(self) -> None:
        with suppress(OSError):
            response = get_from(HEALTHY, self.owner.url, self.owner.path, self.owner.token)
            if not response.startswith(b"HTTP/1.1 200 "):
                self.failures.append(response)


def measure_peak(measure: Callable[[], int], work: Callable[[], object]) -> int:
    """Return the highest value while `work` runs."""
    peak, is_done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(0.02):
            peak = max(peak, measure())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        work()
    finally:
        is_done.set()
        thread.join()
    return max(peak, measure())
