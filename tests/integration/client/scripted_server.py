"""An HTTP server with scripted responses that records its requests."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

# Sends the response to a request with the methods of `Request`.
Responder = Callable[["Request"], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler

    def respond(self, status: int, body: Any = None, **headers: str) -> None:
        """Send a JSON response; `_` in header names becomes `-`."""
        payload = b"" if body is None else json.dumps(body).encode()
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(payload)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(payload)

    def respond_error(self, status: int, code: str, **headers: str) -> None:
        """Send an error in Parley's format."""
        error = {"code": code, "message": f"It is {code}.", "param": "x", "request_id": "req_1"}
        self.respond(status, {"error": error}, X_Request_ID="req_1", **headers)

    def stream(self, *parts: str) -> None:
        """Send an event stream of these parts, then close the connection."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream")
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()
        for part in parts:
            self.handler.wfile.write(part.encode())
        self.handler.wfile.flush()
        self.handler.close_connection = True

    def drop(self) -> None:
        """Close the connection without a response."""
        self.handler.connection.shutdown(socket.SHUT_RDWR)
        self.handler.close_connection = True


class ScriptedServer:
    """Uses each responder once, in order, and the last one for all further requests."""

    def __init__(self, *responders: Responder) -> None:
        self.requests: list[Request] = []
        self._responders = list(responders)
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
                request = Request(str(self.command), self.path, dict(self.headers), body, self)
                server._next(request)(request)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _next(self, request: Request) -> Responder:
        with self._lock:
            self.requests.append(request)
            return self._responders.pop(0) if len(self._responders) > 1 else self._responders[0]
