"""A receiver of webhooks: a real HTTP server that records calls and responds as a test requests."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self

from tests.harness.wait import wait_until


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    # Names are in lower case.
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


Responder = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    def __init__(self, receiver: "WebhookReceiver", *args: Any) -> None:
        self.receiver = receiver
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.calls.append(Call(self.path, headers, body))
        self.receiver.next_responder()(self)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class WebhookReceiver:
    """Responds with 204 by default."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.calls: list[Call] = []
        # One for each of the next calls.
        self.responders: list[Responder] = []
        # Responds to all other calls.
        self.default_responder: Responder = respond(204)
        # Set at the end of the test, so that no responder outlives it.
        self.closing = Event()
        self._server = ThreadingHTTPServer((host, 0), partial(Handler, self))
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def next_responder(self) -> Responder:
        return self.responders.pop(0) if self.responders else self.default_responder

    def wait_for(self, number: int, *, within: float = 30.0) -> list[Call]:
        """Wait for this number of calls, and return all."""
        wait_until(lambda: len(self.calls) >= number, within=within)
        return self.calls


def respond(code: int, **headers: str) -> Responder:
    """Return a responder that sends a status and headers."""

    def send(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return send


def hang(handler: Handler) -> None:
    """Send nothing."""
    handler.receiver.closing.wait(60)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Send one byte of the headers every 50 ms without end."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    try:
        while not handler.receiver.closing.wait(0.05):
            handler.wfile.write(b"x")
    except OSError:
        return


def send_endless_interim_responses(handler: Handler) -> None:
    """Send `100 Continue` without end."""
    handler.close_connection = True
    try:
        while not handler.receiver.closing.is_set():
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
    except OSError:
        return


def send_large_head(handler: Handler) -> None:
    """Send 20 KiB of headers."""
    handler.close_connection = True
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"x" * 1018) * 20 + b"\r\n")


def garbage(handler: Handler) -> None:
    """Send a response that is not HTTP."""
    handler.close_connection = True
    handler.wfile.write(b"hello?\r\n\r\n")


def disconnect(handler: Handler) -> None:
    """Close the connection without a response."""
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Send 200 and a body without end."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    try:
        while not handler.receiver.closing.is_set():
            handler.wfile.write(b"x" * 65536)
    except OSError:
        return
