"""Calls to URLs of clients, as webhook deliveries make them."""

import asyncio
import socket
from typing import Any, NamedTuple

from chat.http import ssrf
from chat.http.loop_connection import AddressInfo


class Answer(NamedTuple):
    status: int
    body: bytes


class StubResolver:
    """A resolver that returns one result after another, and repeats the last one."""

    def __init__(self, *results: tuple[str, ...]) -> None:
        self.results = list(results)
        self.hosts: list[str] = []

    async def __call__(self, host: str, port: int) -> list[AddressInfo]:
        self.hosts.append(host)
        addresses = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in addresses]


def call(
    url: str,
    *,
    method: str = "POST",
    body: bytes | None = b"{}",
    deadline: float = 30,
    **options: Any,
) -> Answer:
    """Call a URL, and return the whole response."""

    async def run() -> Answer:
        calling = ssrf.request(method, url, {}, body, deadline=deadline, **options)
        async with calling as response:
            received = b""
            while data := await response.read():
                received += data
            return Answer(response.status, received)

    return asyncio.run(run())
