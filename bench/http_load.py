"""A minimal HTTP/1.1 client: on two shared cores, the load generator must take little CPU."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Response:
    """A response; the head is the status line and the headers."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, or an empty string."""
        found = re.search(rb"\r\n" + name.encode() + rb": *([^\r]*)", self.head, re.IGNORECASE)
        return found.group(1).decode() if found else ""

    def json(self) -> dict[str, object]:
        """Parse the body, a JSON object."""
        parsed: dict[str, object] = orjson.loads(self.body)
        return parsed


class Connection:
    """A keep-alive connection for one request at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def request(
        self, method: str, path: str, *, token: str = "", body: object = None, headers: str = ""
    ) -> Response:
        """Send a request and read its response; `headers` are whole lines."""
        self._writer.write(_request_bytes(self._host, method, path, token, body, headers))
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head.lower():
            return Response(status, head, await self._read_chunks())
        return Response(status, head, await self._reader.readexactly(_content_length(head)))

    async def stream_lines(self, path: str, *, token: str) -> AsyncIterator[bytes]:
        """Send a GET request, and yield the lines of its endless response."""
        self._writer.write(_request_bytes(self._host, "GET", path, token, None, ""))
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        rest = b""
        while size := int(await self._reader.readline(), 16):
            *lines, rest = (rest + await self._reader.readexactly(size)).split(b"\n")
            for line in lines:
                yield line
            await self._reader.readline()

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return body


def _request_bytes(  # noqa: PLR0917
    host: str, method: str, path: str, token: str, body: object, headers: str
) -> bytes:
    content = b"" if body is None else orjson.dumps(body)
    lines = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}"
    if token:
        lines += f"Authorization: Bearer {token}\r\n"
    if body is not None:
        lines += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return lines.encode() + b"\r\n" + content


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 : lowered.index(b"\r", at)]) if at >= 0 else 0
