"""The pub/sub connection: servers that do not answer, and what it makes of replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pytest_django import Settings

from chat.store import pubsub
from chat.store.client import client
from chat.store.pubsub import PubSubClient
from tests.harness.wait import wait_until
from tests.integration.store.stream_server import Serve, running_server

LOST = "The pub/sub connection is lost"

Messages = list[tuple[bytes, bytes]]


@asynccontextmanager
async def connected(settings: Settings, url: str, serve: Serve) -> AsyncIterator[Messages]:
    """Run a connection to a server; yield the messages that it receives."""
    messages: Messages = []
    async with running_server(serve) as port:
        settings.REDIS_URL = url.format(port=port)
        client.cache_clear()
        connection = PubSubClient(lambda *message: messages.append(message))
        connection.subscribe(b"one")
        running = asyncio.create_task(connection.run())
        yield messages
        running.cancel()
        await asyncio.wait([running])


def test_unresponsive_sentinel_is_asked_once_per_attempt(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    requests = 0

    async def drop(*_: object) -> None:
        nonlocal requests
        requests += 1

    async def run() -> None:
        async with connected(settings, "sentinel://127.0.0.1:{port}/0?service=parley", drop):
            await asyncio.to_thread(wait_until, lambda: LOST in caplog.text)

    asyncio.run(run())
    assert requests < 5  # redis-py's default is eleven


def test_silent_server_is_abandoned(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it is frozen, or when the network drops all packets but the first."""
    monkeypatch.setattr(pubsub, "READ_TIMEOUT", 0.2)

    async def run() -> None:
        async with connected(settings, "redis://:secret@127.0.0.1:{port}/0", ignore):
            await asyncio.to_thread(wait_until, lambda: LOST in caplog.text)

    asyncio.run(run())


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept every command up to the first SUBSCRIBE, and leave that unanswered."""
    while header := await reader.readline():
        lines = [await reader.readline() for _ in range(2 * int(header[1:]))]
        if lines[1] == b"SUBSCRIBE\r\n":
            return
        writer.write(b"+OK\r\n")


async def ignore(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read everything, and never reply."""
    while await reader.read(65536):
        pass


REPLIES = (
    b"+PONG\r\n"  # before the first subscription
    b"*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n"
    b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    b"*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$12\r\nEVENTS 1 1\n-\r\n"
    b"*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$1\r\n2\r\n"
    b"*3\r\n$11\r\nunsubscribe\r\n$3\r\none\r\n:0\r\n"
)


def test_replies_are_understood_in_pieces(settings: Settings) -> None:
    async def send_bytewise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        for byte in REPLIES:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await ignore(reader, writer)

    async def run() -> None:
        async with connected(settings, "redis://127.0.0.1:{port}/0", send_bytewise) as messages:
            await asyncio.to_thread(wait_until, lambda: len(messages) == 3)
            assert messages == [(b"one", b""), (b"one", b"EVENTS 1 1\n-"), (b"one", b"2")]

    asyncio.run(run())


@pytest.mark.parametrize("reply", [b"-NOPERM no rights\r\n", b"no RESP at all\r\n"])
def test_unexpected_reply_closes_the_connection(
    settings: Settings, caplog: pytest.LogCaptureFixture, reply: bytes
) -> None:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        writer.write(reply)
        await ignore(reader, writer)

    async def run() -> None:
        async with connected(settings, "redis://127.0.0.1:{port}/0", send) as messages:
            await asyncio.to_thread(wait_until, lambda: LOST in caplog.text)
            assert messages == []

    asyncio.run(run())
