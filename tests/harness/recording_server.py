"""An HTTP server that records requests and answers like a model or a trace collector."""

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
class RecordedRequest:
    """A POST request."""

    path: str
    # Names are in lower case.
    headers: dict[str, str]
    body: bytes


class RecordingServer:
    """Listens on loopback from construction until the end of the `with` block."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                requests.append(RecordedRequest(self.path, headers, body))
                is_model_call = self.path.startswith("/v1/chat/completions")
                response = json.dumps(REPLY).encode() if is_model_call else b""
                content_type = "application/json" if is_model_call else "application/x-protobuf"
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(response)))
                self.end_headers()
                self.wfile.write(response)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def requests_to(self, path: str) -> list[RecordedRequest]:
        """Return the requests whose path ends with `path`."""
        return [request for request in self.requests if request.path.endswith(path)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
