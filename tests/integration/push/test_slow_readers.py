"""Who does not read holds up nobody, and costs a bounded amount of memory."""

import json
import socket as sockets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
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
ROOM = 4096
"""Bytes that a client's kernel takes in while the client reads nothing."""


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
        with Socket(hasty, after=2) as quick:
            took = flood()
            heard = quick.until("message.completed", within=30)
        assert [event["seq"] for event in heard] == list(range(3, 3 + PIECES + 1))
        assert took < 10
        assert resident_kib(web.pid) - before < 64 * 1024

        seqs, code = read_to_the_end(slow)
        assert code == 4413
        assert seqs == list(range(2, 2 + len(seqs)))
        assert len(seqs) < PIECES
    with Socket(hasty, after=seqs[-1]) as resumed:
        rest = resumed.until("message.completed", within=30)
    assert seqs + [event["seq"] for event in rest] == list(range(2, 3 + PIECES + 1))


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


def test_who_never_reads_again_is_hung_up_on(
    dead: sockets.socket, flood: Callable[[], float], hasty_stack: Stack
) -> None:
    """F26: within 30 s, however patient his kernel is."""
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


def is_connected(port: int) -> bool:
    """Whether the server's end of the connection from a local port stands."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    return any(row[2].endswith(f":{port:04X}") and row[3] == established for row in rows)
