"""An HTTP server that keeps what it is told, and answers as a model or a collector would."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

REPLY = {
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "a canary reply"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A POST."""

    path: str
    headers: dict[str, str]
    """Their names in lower case."""
    body: bytes


class Ear:
    """Listens on loopback from its making to its closing."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                named = {name.lower(): value for name, value in self.headers.items()}
                heard.append(Heard(self.path, named, body))
                is_call = self.path.startswith("/v1/chat/completions")
                answer = json.dumps(REPLY).encode() if is_call else b""
                kind = "application/json" if is_call else "application/x-protobuf"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def posts(self, path: str) -> list[Heard]:
        """Return what was posted to paths that end so."""
        return [each for each in self.heard if each.path.endswith(path)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
