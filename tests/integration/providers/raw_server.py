"""A server that sends exactly the bytes that a test specifies, plain or over TLS."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

TLS = Path(__file__).parent / "tls"
CA = str(TLS / "ca.pem")
TIMEOUT = 10.0  # seconds until a server thread stops waiting for its client

Handler = Callable[[socket.socket], None]


class RawServer:
    """Listens on a free port, and runs `handle` in a thread for each connection."""

    def __init__(self, handle: Handler, *, certificate: str = "", host: str = "127.0.0.1") -> None:
        self.handle = handle
        # Accepted so far.
        self.connections = 0
        # Released for each connection that the client has closed.
        self.ended = threading.Semaphore(0)
        self.tls = _context(certificate) if certificate else None
        self.listener = socket.create_server((host, 0))
        self.host = host
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def client_disconnected(self, *, within: float = 2.0) -> bool:
        """Return whether the client closes another connection within this number of seconds."""
        return self.ended.acquire(timeout=within)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT)
        with suppress(OSError), connection:
            secured = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with secured:
                self._handle(secured)

    def _handle(self, connection: socket.socket) -> None:
        try:
            self.handle(connection)
            while connection.recv(65536):
                pass
        finally:
            self.ended.release()


def respond(*parts: bytes, closes: bool = False) -> Handler:
    """Return a handler that responds to each request with `parts`, sent one by one.

    closes: the end of the response is the end of the connection.
    """

    def handle(connection: socket.socket) -> None:
        while read_request(connection):
            for part in parts:
                connection.sendall(part)
            if closes:
                connection.shutdown(socket.SHUT_WR)
                return

    return handle


def forward_to(port: int) -> Handler:
    """Return a handler that passes everything on to another server on loopback, and back."""

    def handle(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as inside:
            back = threading.Thread(target=_copy, args=(inside, connection))
            back.start()
            _copy(connection, inside)
            back.join()

    return handle


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source closes."""
    with suppress(OSError):
        while received := source.recv(65536):
            target.sendall(received)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def handle_in_order(*handlers: Handler) -> Handler:
    """Return a handler that uses one of `handlers` for each connection, in order."""
    remaining = iter(handlers)

    def handle(connection: socket.socket) -> None:
        next(remaining)(connection)

    return handle


def read_request(connection: socket.socket) -> bytes:
    """Return a request with its body, or b"" if the client has closed the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65536)
        if not data:
            return b""
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        data = connection.recv(65536)
        if not data:
            return b""
        body += data
    return head + b"\r\n\r\n" + body


def json_response(body: bytes, content_type: str = "application/json", *headers: str) -> bytes:
    """Return a complete response with status 200."""
    lines = [
        "HTTP/1.1 200 OK",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return `data` as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: str) -> bytes:
    """Return `data` as one event in one chunk."""
    return chunk(f"data: {data}\n\n".encode())


def delta(text: str, finish: str = "null") -> bytes:
    """Return a chat delta as one event in one chunk."""
    return event(f'{{"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}')


DONE = event("[DONE]")

# The names that docs/cases.md uses: head, delta, end, end marker.
H = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
D = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
E = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
X = b"data: [DONE]\n\n"


def _context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{certificate}.pem")
    return context
