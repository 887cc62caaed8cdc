"""A receiver of webhooks: a real HTTP server that answers as it is told and keeps what it got."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self

from tests.harness.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Call:
    """One call that has come."""

    path: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    def __init__(self, receiver: "Receiver", *args: Any) -> None:
        self.receiver = receiver
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.calls.append(Call(self.path, headers, body))
        self.receiver.next_answer()(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Receiver:
    """Answers 204 unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: list[Answer] = []
        """To the next calls, one each."""
        self.then: Answer = status(204)
        """To all further ones."""
        self.ended = Event()
        """Set at the end, so that nothing hangs longer than the test."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if self.answers else self.then

    def wait_for(self, number: int, *, within: float = 30.0) -> list[Call]:
        """Return the calls once there are so many."""
        wait_until(lambda: len(self.calls) >= number, within=within)
        return self.calls


def status(code: int, **headers: str) -> Answer:
    """Answer with this status."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def hang(handler: Handler) -> None:
    """Answer nothing."""
    handler.receiver.ended.wait(60)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Answer a byte now and then, for ever."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    try:
        while not handler.receiver.ended.wait(0.05):
            handler.wfile.write(b"x")
    except OSError:
        return


def garbage(handler: Handler) -> None:
    """Answer what is no HTTP."""
    handler.close_connection = True
    handler.wfile.write(b"hello?\r\n\r\n")


def hang_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Answer 200, and then a body without an end."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    try:
        while not handler.receiver.ended.is_set():
            handler.wfile.write(b"x" * 65536)
    except OSError:
        return
