"""A dev model process and the ways to talk to it: with requests, and byte by byte."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 10.0  # seconds until a test gives up on the server

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
GENERATE = "/models/m"
STREAMING_PATHS = (CHAT, COMPLETIONS, GENERATE)


def body_for(path: str, text: str, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """The body that asks for a reply to `text` in the format of `path`."""
    if path == CHAT:
        asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text}]}
    elif path == COMPLETIONS:
        asked = {"model": "m", "prompt": f"Human: {text}\nBot: "}
    else:
        asked = {"inputs": f"Human: {text}\nBot: ", "parameters": {"return_full_text": False}}
    return asked | {"stream": stream} | fields


class FakeModel:
    """One server process."""

    def __init__(self, *options: str) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fakemodel", "--port", "0", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().split()[-1]
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
        self.end()

    def end(self) -> tuple[int, str]:
        """Ask it to stop; its exit code and what it wrote to stderr."""
        self.session.close()
        self.process.terminate()
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        response = self.session.get(self.url + path, timeout=PATIENCE)
        response.raise_for_status()
        return response.json()

    def reset(self) -> None:
        """Let the server forget everything."""
        self.session.post(f"{self.url}/__reset__", timeout=PATIENCE).raise_for_status()

    def script(self, *steps: dict[str, Any]) -> None:
        """Tell the server how to answer the next calls."""
        answer = self.session.post(
            f"{self.url}/__script__", json={"steps": steps}, timeout=PATIENCE
        )
        answer.raise_for_status()

    def calls(self, query: str = "") -> list[dict[str, Any]]:
        """The calls on record."""
        found: list[dict[str, Any]] = self.get(f"/__calls__{query}")["calls"]
        return found

    def post(
        self,
        path: str,
        text: str,
        *,
        stream: bool = False,
        timeout: float = PATIENCE,
        **fields: Any,
    ) -> requests.Response:
        """The whole response to a call; raises what requests raises."""
        body = body_for(path, text, stream=stream, **fields)
        return self.session.post(self.url + path, json=body, timeout=timeout, allow_redirects=False)

    def say(self, text: str, *, stream: bool = False, **fields: Any) -> str:
        """The reply's text, by way of the chat format."""
        response = self.post(CHAT, text, stream=stream, **fields)
        response.raise_for_status()
        return said(CHAT, response.content, stream=stream)

    @contextmanager
    def opened(self, path: str, text: str, *, stream: bool = False) -> Iterator[socket.socket]:
        """A bare connection on which a call has been sent."""
        address = urlsplit(self.url)
        body = json.dumps(body_for(path, text, stream=stream)).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        where = (str(address.hostname), int(address.port or 0))
        with socket.create_connection(where, timeout=PATIENCE) as connection:
            connection.sendall(head.encode() + body)
            yield connection

    def read_raw(self, path: str, text: str, *, stream: bool = False) -> tuple[bytes, bool]:
        """All bytes until the connection ends, and whether it ended by a reset."""
        received = bytearray()
        with self.opened(path, text, stream=stream) as connection:
            try:
                while data := connection.recv(65536):
                    received += data
            except ConnectionResetError:
                return bytes(received), True
        return bytes(received), False


def events(stream: bytes) -> list[Any]:
    """The JSON events of a stream, without `[DONE]`."""
    payloads = [event.partition(b":")[2].strip() for event in stream.split(b"\n\n") if event]
    return [json.loads(payload) for payload in payloads if payload != b"[DONE]"]


def said(path: str, body: bytes, *, stream: bool) -> str:
    """The text of a good reply in the format of `path`."""
    if stream:
        return "".join(said_by(path, event) for event in events(body))
    answer = json.loads(body)
    if path == GENERATE:
        return str(answer[0]["generated_text"])
    choice = answer["choices"][0]
    return str(choice["message"]["content"] if path == CHAT else choice["text"])


def said_by(path: str, event: Any) -> str:
    """The text that one event of a good stream adds."""
    if path == GENERATE:
        return "" if event["token"]["special"] else str(event["token"]["text"])
    if not event["choices"]:
        return ""
    choice = event["choices"][0]
    return str(choice["delta"].get("content", "") if path == CHAT else choice["text"])
