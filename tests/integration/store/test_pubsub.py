"""The link for news, where there is nothing to be linked to, and what it makes of what it hears."""

import asyncio
from functools import partial
from timeit import timeit

import pytest
from pytest_django import Settings

from chat.store import pubsub
from chat.store.pubsub import PubSubConnection
from tests.harness.waiting import wait_until


def test_a_sentinel_that_gives_no_answer_is_asked_once_a_try(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert asyncio.run(asked_until_told(settings, caplog)) < 5  # and eleven by redis-py's default


async def asked_until_told(settings: Settings, caplog: pytest.LogCaptureFixture) -> int:
    """Return how often a Sentinel was asked before the log said that the link is broken."""
    asked = 0

    def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings.REDIS_URL = f"sentinel://127.0.0.1:{port}/0?service=parley"
        held = asyncio.create_task(PubSubConnection(lambda *_: None).run())
        await asyncio.to_thread(wait_until, lambda: "The link for news is broken" in caplog.text)
        held.cancel()
    return asked


def test_a_redis_that_takes_a_link_and_says_nothing_is_left(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it is frozen, or the network between loses all packets but the first."""
    monkeypatch.setattr(pubsub, "SILENCE", 0.2)
    settings.REDIS_URL = "redis://:secret@127.0.0.1:{port}/0"
    asyncio.run(held_until_broken(settings, caplog))


async def held_until_broken(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Return once the log says that the link to a server without a word is broken."""
    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        settings.REDIS_URL = settings.REDIS_URL.format(port=server.sockets[0].getsockname()[1])
        held = asyncio.create_task(PubSubConnection(lambda *_: None).run())
        await asyncio.to_thread(wait_until, lambda: "The link for news is broken" in caplog.text)
        held.cancel()
        await asyncio.wait([held])


async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take all that is said, until it ends."""
    try:
        while await reader.read(65536):
            pass
    finally:
        writer.close()


def test_no_text_takes_the_link_longer_than_another() -> None:
    """Not even one that is full of what might be the beginning of an error, and comes in pieces."""
    plain, hostile = (
        min(timeit(partial(hear_in_pieces, fill * 8000), number=1) for _ in range(3))
        for fill in (b"x", b"-")
    )
    assert hostile < 50 * plain


def hear_in_pieces(text: bytes) -> None:
    """Hear of an event with this text."""
    told: list[tuple[bytes, bytes]] = []
    heard = b"*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$%d\r\n%b\r\n" % (len(text), text)
    listening = PubSubConnection(lambda *word: told.append(word))
    rest = b""
    for first in range(0, len(heard), 1460):
        rest = listening._pass_on(rest + heard[first : first + 1460])
    assert (told, rest) == ([(b"channel", text)], b"")


def test_all_that_redis_says_is_understood_in_whatever_pieces_it_comes() -> None:
    told: list[tuple[bytes, bytes]] = []
    listening = PubSubConnection(lambda *word: told.append(word))
    rest = b""
    for byte in SAID:
        rest = listening._pass_on(rest + bytes([byte]))
    assert told == [(b"one", b""), (b"one", b"EVENTS 1 1\n-"), (b"one", b"2")]
    assert rest == b""


SAID = (
    b"+PONG\r\n"  # while nothing is wanted
    b"*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n"
    b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    b"*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$12\r\nEVENTS 1 1\n-\r\n"
    b"*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$1\r\n2\r\n"
    b"*3\r\n$11\r\nunsubscribe\r\n$3\r\none\r\n:0\r\n"
)


def test_what_nobody_understands_breaks_the_link() -> None:
    with pytest.raises(ConnectionAbortedError):
        PubSubConnection(lambda *_: None)._pass_on(b"?" * (pubsub.BLOCK + 1))
