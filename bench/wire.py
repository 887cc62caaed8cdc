"""A lean HTTP/1.1 client for load: on two shared cores, the load itself must cost little."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value; empty when there is none."""
        found = re.search(rb"\r\n" + name.encode() + rb": *([^\r]*)", self.head, re.IGNORECASE)
        return found.group(1).decode() if found else ""

    def json(self) -> dict[str, object]:
        """Return the body, which must be a JSON object."""
        parsed: dict[str, object] = orjson.loads(self.body)
        return parsed


class Line:
    """One connection that is kept alive; one request at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(
        self, method: str, path: str, *, token: str = "", body: object = None, headers: str = ""
    ) -> Answer:
        """Send a request and return its answer; `headers` are whole lines."""
        self._writer.write(request(self._host, method, path, token, body, headers))
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head.lower():
            return Answer(status, head, await self._chunks())
        return Answer(status, head, await self._reader.readexactly(_length(head)))

    async def stream(self, path: str, *, token: str) -> AsyncIterator[bytes]:
        """Send a GET whose answer does not end; give its lines as they come."""
        self._writer.write(request(self._host, "GET", path, token, None, ""))
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        rest = b""
        while size := int(await self._reader.readline(), 16):
            *lines, rest = (rest + await self._reader.readexactly(size)).split(b"\n")
            for line in lines:
                yield line
            await self._reader.readline()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return body


def request(  # noqa: PLR0917
    host: str, method: str, path: str, token: str, body: object, headers: str
) -> bytes:
    """Return the bytes of a request."""
    content = b"" if body is None else orjson.dumps(body)
    lines = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}"
    if token:
        lines += f"Authorization: Bearer {token}\r\n"
    if body is not None:
        lines += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return lines.encode() + b"\r\n" + content


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 : lowered.index(b"\r", at)]) if at >= 0 else 0
