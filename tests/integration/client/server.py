"""A server that answers what a test tells it to, and keeps what it was asked."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[["Asked"], None]
"""Answers a request by what `Asked` offers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the connection it came by."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler

    def reply(self, status: int, body: Any = None, **headers: str) -> None:
        """Answer with JSON; of header names `_` stands for `-`."""
        told = b"" if body is None else json.dumps(body).encode()
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(told)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(told)

    def refuse(self, status: int, code: str, **headers: str) -> None:
        """Answer as Parley refuses."""
        error = {"code": code, "message": f"It is {code}.", "param": "x", "request_id": "req_1"}
        self.reply(status, {"error": error}, X_Request_ID="req_1", **headers)

    def stream(self, *parts: str) -> None:
        """Answer with an event stream of these parts, which ends with the connection."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream")
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()
        for part in parts:
            self.handler.wfile.write(part.encode())
        self.handler.wfile.flush()
        self.handler.close_connection = True

    def drop(self) -> None:
        """Close the connection without a word."""
        self.handler.connection.shutdown(socket.SHUT_RDWR)
        self.handler.close_connection = True


class Server:
    """Gives each answer of its script once, in order, and the last one ever after."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[Asked] = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(str(self.command), self.path, dict(self.headers), body, self)
                server._next(asked)(asked)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _next(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
