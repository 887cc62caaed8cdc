"""News that nobody hears cost a second, never an event: the log is the truth."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.proxy import BLOCK_BYTES, Connection, Proxy
from tests.harness.stack import Stack
from tests.integration.api.calls import Api
from tests.integration.api.turns import finish, say, take
from tests.integration.realtime.ways import Socket, Stream

Sockets = Callable[..., Socket]
Streams = Callable[..., Stream]
LATE = 1.0 + 2.0
"""Seconds: what is promised, and what a busy machine may add."""


class Deaf(Proxy):
    """Swallows whatever Redis publishes, and passes all else on."""

    swallowed = 0

    def _forward_responses(self, link: Connection) -> None:
        with suppress(OSError):
            while block := link.server.recv(BLOCK_BYTES):
                if b"*3\r\n$7\r\nmessage\r\n" in block:
                    self.swallowed += 1
                else:
                    link.client.sendall(block)
        self._close(link)


@pytest.fixture(scope="module")
def deaf(parley: Stack) -> Iterator[Deaf]:
    with Deaf(parley.redis.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def web(deaf: Deaf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a web process that hears no news."""
    directory: Path = tmp_path_factory.mktemp("deaf")
    stack = Stack(directory, env={"REDIS_URL": deaf.url})
    try:
        yield stack.web().start().url
    finally:
        stack.shut_down()


@pytest.fixture
def unheard(owner: Api, web: str) -> Api:
    """The owner, at the web process that hears no news."""
    return Api(web, id=owner.id, token=owner.token)


def test_every_event_comes_within_a_second(
    owner: Api, unheard: Api, socket: Sockets, stream: Streams, deaf: Deaf
) -> None:
    opened, streamed = socket(unheard), stream(unheard)
    opened.is_followed()
    owner.say("hello")
    claim, said = take(owner.id), ""
    for piece in ("one ", "two ", "three"):
        before = time.monotonic()
        say(claim, piece, after=said)
        said += piece
        assert opened.until("message.delta")[-1]["delta"] == piece
        assert time.monotonic() - before < LATE
    before = time.monotonic()
    finish(claim, after=said)
    assert opened.hear()["message"]["content"] == said
    assert time.monotonic() - before < LATE
    heard = streamed.until("message.completed")
    assert [event["seq"] for event in heard] == [1, 2, 3, 4, 5, 6]
    assert deaf.swallowed


def test_a_long_poll_wakes_within_a_second(owner: Api, unheard: Api) -> None:
    with ThreadPoolExecutor(1) as threads:
        polled = threads.submit(unheard.get, params={"after": 0, "wait": 20})
        time_of_post = time.monotonic()
        owner.say("hello")
        assert polled.result().json()["seq"] == 1
        assert time.monotonic() - time_of_post < LATE


@pytest.mark.security("S05")
def test_a_session_that_ends_unheard_ends_what_follows_it(
    owner: Api, unheard: Api, socket: Sockets
) -> None:
    """The same for a token that is replaced."""
    owner.say("hello")
    opened = socket(unheard)
    assert opened.hear()["seq"] == 1
    owner.token = owner.post(f"{owner.path}/token", {}).json()["token"]
    assert opened.closed(5) == 4401
    unheard.token = owner.token
    opened = socket(unheard)
    assert opened.hear()["seq"] == 1
    owner.call("DELETE", owner.path)
    assert opened.until("session.deleted", 5)
    assert opened.closed(5) == 4404
