"""A fake model process and its clients: one for whole responses, one for raw bytes."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests

from project.runner.process import Program
from tests.harness.processes import Process

TIMEOUT = 10.0  # seconds

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
GENERATE = "/models/m"
STREAMING_PATHS = (CHAT, COMPLETIONS, GENERATE)


def request_body(path: str, text: str, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """Return the body of a call in the format of `path`."""
    if path == CHAT:
        body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text}]}
    elif path == COMPLETIONS:
        body = {"model": "m", "prompt": f"Human: {text}\nBot: "}
    else:
        body = {"inputs": f"Human: {text}\nBot: ", "parameters": {"return_full_text": False}}
    return body | {"stream": stream} | fields


class FakeModel:
    """One server process."""

    def __init__(self, *options: str, module: tuple[str, ...] = ("fakemodel",)) -> None:
        """Start the process and wait until it listens."""
        self._directory = TemporaryDirectory()
        program = Program(
            name="model",
            argv=(sys.executable, "-m", *module, "--port", "0", *options),
            env=os.environ,
            ready_text="http://",
            stop_timeout=TIMEOUT,
        )
        self.process = Process(program, Path(self._directory.name) / "log").start()
        self.url = self.process.log.split()[-1]
        self.session = requests.Session()
        self.session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self.session.close()
        self.process.ensure_stopped()
        self._directory.cleanup()

    def get(self, path: str) -> Any:
        """Return the JSON at `path`."""
        response = self.session.get(self.url + path, timeout=TIMEOUT)
        response.raise_for_status()
        return response.json()

    def reset(self) -> None:
        """Restore the state of a new process."""
        self.session.post(f"{self.url}/__reset__", timeout=TIMEOUT).raise_for_status()

    def script(self, *steps: dict[str, Any]) -> None:
        """Set the responses to the next calls."""
        response = self.session.post(
            f"{self.url}/__script__", json={"steps": steps}, timeout=TIMEOUT
        )
        response.raise_for_status()

    def calls(self, query: str = "") -> list[dict[str, Any]]:
        """Return the recorded calls."""
        calls: list[dict[str, Any]] = self.get(f"/__calls__{query}")["calls"]
        return calls

    def post(
        self,
        path: str,
        text: str,
        *,
        stream: bool = False,
        timeout: float = TIMEOUT,
        **fields: Any,
    ) -> requests.Response:
        """Make a call; return the complete response."""
        body = request_body(path, text, stream=stream, **fields)
        return self.session.post(self.url + path, json=body, timeout=timeout, allow_redirects=False)

    def ask(self, text: str, *, stream: bool = False, **fields: Any) -> str:
        """Return the text of the reply, in the chat format."""
        response = self.post(CHAT, text, stream=stream, **fields)
        response.raise_for_status()
        return reply_text(CHAT, response.content, stream=stream)

    @contextmanager
    def open_call(self, path: str, text: str, *, stream: bool = False) -> Iterator[socket.socket]:
        """Send a call on a new connection, and yield its socket."""
        address = urlsplit(self.url)
        body = json.dumps(request_body(path, text, stream=stream)).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        peer = (str(address.hostname), int(address.port or 0))
        with socket.create_connection(peer, timeout=TIMEOUT) as connection:
            connection.sendall(head.encode() + body)
            yield connection

    def read_raw(self, path: str, text: str, *, stream: bool = False) -> tuple[bytes, bool]:
        """Return all bytes until the connection closes, and whether it was reset."""
        received = bytearray()
        with self.open_call(path, text, stream=stream) as connection:
            try:
                while data := connection.recv(65536):
                    received += data
            except ConnectionResetError:
                return bytes(received), True
        return bytes(received), False


def events(stream: bytes) -> list[Any]:
    """Return the JSON events of a stream, without `[DONE]`."""
    payloads = [event.partition(b":")[2].strip() for event in stream.split(b"\n\n") if event]
    return [json.loads(payload) for payload in payloads if payload != b"[DONE]"]


def reply_text(path: str, body: bytes, *, stream: bool) -> str:
    """Return the text of a complete reply in the format of `path`."""
    if stream:
        return "".join(_event_text(path, event) for event in events(body))
    response = json.loads(body)
    if path == GENERATE:
        return str(response[0]["generated_text"])
    choice = response["choices"][0]
    return str(choice["message"]["content"] if path == CHAT else choice["text"])


def _event_text(path: str, event: Any) -> str:
    if path == GENERATE:
        return "" if event["token"]["special"] else str(event["token"]["text"])
    if not event["choices"]:
        return ""
    choice = event["choices"][0]
    return str(choice["delta"].get("content", "") if path == CHAT else choice["text"])
