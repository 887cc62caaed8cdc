"""Who does not read holds up nobody, and costs a bounded amount of memory."""

import json
import socket as sockets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from bench.cpu import resident_kib
from tests.harness.stack import Stack
from tests.harness.waiting import wait_until
from tests.integration.api.calls import Api
from tests.integration.api.turns import finish, say, take
from tests.integration.push.ways import Socket

PIECE = "x" * 256 * 1024
PIECES = 40
"""10 MB."""
ROOM = 65536
"""Bytes that a client's kernel takes in while the client reads nothing; the server's own buffers
for it hold a few megabytes."""


def narrow(owner: Api) -> sockets.socket:
    """A connection whose client takes next to nothing in by itself."""
    parts = urlsplit(owner.url)
    client = sockets.socket()
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, ROOM)
    client.connect((parts.hostname, parts.port))
    return client


@pytest.fixture
def flood(hasty: Api) -> Callable[[], float]:
    """Return a function that streams 10 MB of reply past; it tells how long the worker took."""
    hasty.say("hello")
    claim = take(hasty.id)
    said = 0

    def stream() -> float:
        nonlocal said
        started = time.monotonic()
        for _ in range(PIECES):
            say(claim, PIECE, after="x" * said)
            said += len(PIECE)
        finish(claim, after="x" * said)
        return time.monotonic() - started

    return stream


@pytest.mark.security("S25")
def test_a_socket_that_reads_nothing_is_cut_off_and_resumes(
    hasty: Api, flood: Callable[[], float], hasty_stack: Stack
) -> None:
    web = hasty_stack.web()
    with connect(
        f"ws{hasty.url[4:]}{hasty.path}/ws",
        sock=narrow(hasty),
        origin=Origin(hasty.url),
        compression=None,
        max_size=None,
        max_queue=1,
        close_timeout=0.2,
    ) as slow:
        slow.send(json.dumps({"type": "auth", "token": hasty.token}))
        assert json.loads(slow.recv())["seq"] == 1
        before = resident_kib(web.pid)
        assert flood() < 10
        assert resident_kib(web.pid) - before < 64 * 1024

        seqs, code = read_to_the_end(slow)
        assert code == 4413
        assert seqs == list(range(2, 2 + len(seqs)))
        assert len(seqs) < PIECES
    assert seqs + rest(hasty, seqs[-1]) == list(range(2, 3 + PIECES + 1))


def test_a_quick_reader_beside_a_slow_one_gets_everything(
    hasty: Api, flood: Callable[[], float], dead: sockets.socket
) -> None:
    assert dead.recv(12, sockets.MSG_PEEK)
    with ThreadPoolExecutor(1) as threads:
        quick = threads.submit(rest, hasty, 0)
        flood()
        assert quick.result(30) == list(range(1, 3 + PIECES + 1))


def rest(owner: Api, cursor: int) -> list[int]:
    """The seqs up to the reply's end, read without a pause; resumed when that was too slow."""
    seqs: list[int] = []
    while True:
        try:
            with Socket(owner, after=seqs[-1] if seqs else cursor) as opened:
                while True:
                    event = opened.hear(30)
                    seqs.append(event["seq"])
                    if event["type"] == "message.completed":
                        return seqs
        except ConnectionClosed as closed:
            if not closed.rcvd or closed.rcvd.code != 4413:
                raise


def read_to_the_end(slow: ClientConnection) -> tuple[list[int], int]:
    """The seqs of what had been sent, and the close code."""
    seqs: list[int] = []
    try:
        while True:
            seqs.append(json.loads(slow.recv(timeout=30))["seq"])
    except ConnectionClosed as closed:
        return seqs, closed.rcvd.code if closed.rcvd else 1006


@pytest.fixture(params=["socket", "stream"])
def dead(request: pytest.FixtureRequest, hasty: Api) -> Iterator[sockets.socket]:
    """A client that follows and then never reads again."""
    client = narrow(hasty)
    head = f"Host: {urlsplit(hasty.url).netloc}\r\nOrigin: {hasty.url}\r\n"
    if request.param == "socket":
        head += (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        path = f"{hasty.path}/ws?ticket={hasty.post(f'{hasty.path}/ticket', {}).json()['ticket']}"
    else:
        head += f"Authorization: Bearer {hasty.token}\r\n"
        path = f"{hasty.path}/events"
    client.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    with client:
        yield client


@pytest.mark.security("S25")
def test_who_never_reads_again_is_hung_up_on(
    dead: sockets.socket, flood: Callable[[], float], hasty_stack: Stack, redis: Redis
) -> None:
    """F26: within 30 s, however patient his kernel is; then nothing is followed for him."""
    web = hasty_stack.web()
    assert dead.recv(12, sockets.MSG_PEEK)
    port = dead.getsockname()[1]
    assert is_connected(port)
    before = resident_kib(web.pid)
    started = time.monotonic()
    assert flood() < 10
    wait_until(lambda: not is_connected(port), within=30)
    assert time.monotonic() - started < 30
    assert resident_kib(web.pid) - before < 64 * 1024
    wait_until(lambda: not redis.pubsub_channels())


def is_connected(port: int) -> bool:
    """Whether the server's end of the connection from a local port stands."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    return any(row[2].endswith(f":{port:04X}") and row[3] == established for row in rows)
