"""Lookups of names that clients choose: slow ones occupy no thread of the event loop."""

import asyncio
import socket
from threading import Event
from typing import Any

import pytest

from chat.http.lookups import LookupThreads
from chat.http.loop_connection import resolve_name

# More than an event loop has threads.
MANY = 50


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Event:
    """The name server of `*.slow.test` answers once this is set."""
    answers, look_up = Event(), socket.getaddrinfo

    def slow(host: str, *args: Any, **options: Any) -> list[Any]:
        if host.endswith(".slow.test"):
            assert answers.wait(30)
            host = "127.0.0.1"
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    return answers


@pytest.mark.security("S52")
def test_slow_names_delay_no_others(name_server: Event) -> None:
    async def run() -> None:
        threads = LookupThreads()
        slow = [asyncio.ensure_future(threads.resolve(f"{n}.slow.test", 80)) for n in range(MANY)]
        for resolve in (threads.resolve, resolve_name):
            assert ("127.0.0.1", 80) in [each[4] for each in await resolve("127.0.0.1", 80)]
        assert not any(each.done() for each in slow)
        name_server.set()
        assert all(found[0][4] == ("127.0.0.1", 80) for found in await asyncio.gather(*slow))

    asyncio.run(run())


def test_cancelled_lookup_ends_at_once(name_server: Event) -> None:
    async def run() -> None:
        threads = LookupThreads()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await threads.resolve("a.slow.test", 80)
        name_server.set()
        assert await threads.resolve("127.0.0.1", 80)

    asyncio.run(run())


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_invalid_name_is_an_error(host: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # Python's
        asyncio.run(LookupThreads().resolve(host, 80))
