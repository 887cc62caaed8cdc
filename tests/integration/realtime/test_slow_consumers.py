"""Slow clients delay no other client, and use a limited amount of memory."""

import asyncio
import json
import socket as sockets
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django import Settings
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from bench.cpu import resident_kib
from chat.domain import Claim
from chat.store import keys
from chat.store.subscriber import CLOSE_GRACE
from project.runner.healthcheck import is_healthy
from project.server.write_timeout import CLOSED, WriteTimeoutMixin
from tests.harness.processes import Process
from tests.harness.redis_cluster import subscribed_channels
from tests.harness.stack import Stack
from tests.harness.tiers import thorough
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.api.fake_worker import append_text, claim_turn, finish_turn
from tests.integration.providers import raw_server
from tests.integration.realtime.clients import WebSocketClient
from tests.integration.realtime.conftest import LOW_LIMITS

PIECE = "x" * 256 * 1024
# 10 MB.
PIECE_COUNT = 40
# Does not verify the server's certificate.
INSECURE_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
INSECURE_TLS.check_hostname, INSECURE_TLS.verify_mode = False, ssl.CERT_NONE
# Seconds: the documented 5, and a margin for a busy machine. Without an abort, the connection would
# stay open for `WRITE_TIMEOUT`, 15 s, or for the 30 s of a TLS shutdown.
ABORT_TIMEOUT = 10.0
# Bytes that the client's kernel buffers. The server's buffers for it are a few megabytes.
RECEIVE_BUFFER = 65536


def connect_slow(owner: APIClient) -> sockets.socket:
    """Return a connection with a small receive buffer."""
    parts = urlsplit(owner.url)
    client = sockets.socket()
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, RECEIVE_BUFFER)
    client.connect((parts.hostname, parts.port))
    return client


@pytest.fixture
def write_reply(limited: APIClient) -> Callable[[], float]:
    """Return a function that writes a reply of 10 MB, and returns the seconds that it took."""
    limited.post_message("hello")
    claim = claim_turn(limited.id)

    def stream() -> float:
        started = time.monotonic()
        text = append_pieces(claim, PIECE_COUNT)
        finish_turn(claim, after=text)
        return time.monotonic() - started

    return stream


def append_pieces(claim: Claim, pieces: int) -> str:
    """Append this number of pieces to the reply; return its text."""
    text = ""
    for _ in range(pieces):
        append_text(claim, PIECE, after=text)
        text += PIECE
    return text


@pytest.mark.security("S25")
def test_slow_websocket_is_disconnected_and_resumes(
    limited: APIClient, write_reply: Callable[[], float], limited_stack: Stack, redis: Redis
) -> None:
    web = limited_stack.web()
    with connect(
        f"ws{limited.url[4:]}{limited.path}/ws",
        sock=connect_slow(limited),
        origin=Origin(limited.url),
        compression=None,
        max_size=None,
        max_queue=1,
        close_timeout=0.2,
    ) as slow:
        slow.send(json.dumps({"type": "auth", "token": limited.token}))
        assert json.loads(slow.recv())["seq"] == 1
        before = resident_kib(web.pid)
        with ThreadPoolExecutor(1) as threads:
            started = time.monotonic()
            written = threads.submit(write_reply)
            wait_until(lambda: subscribed_channels(redis))
            wait_until(lambda: not subscribed_channels(redis), within=30)  # it has unsubscribed
            seqs, code = read_until_close(slow)
            read_by = time.monotonic() - started
            assert written.result() < 30
        assert resident_kib(web.pid) - before < 64 * 1024
        assert code == 4413 or read_by > CLOSE_GRACE  # on a busy machine
        assert seqs == list(range(2, 2 + len(seqs)))
        assert len(seqs) < PIECE_COUNT
    assert seqs + read_quickly(limited, seqs[-1]) == list(range(2, 3 + PIECE_COUNT + 1))


def test_fast_client_next_to_a_slow_one_gets_everything(
    limited: APIClient, write_reply: Callable[[], float], silent_client: sockets.socket
) -> None:
    assert silent_client.recv(12, sockets.MSG_PEEK)
    with ThreadPoolExecutor(1) as threads:
        quick = threads.submit(read_quickly, limited, 0)
        write_reply()
        assert quick.result(30) == list(range(1, 3 + PIECE_COUNT + 1))


def read_quickly(owner: APIClient, cursor: int) -> list[int]:
    """Return the seqs up to the end of the reply; reconnect when disconnected as too slow."""
    seqs: list[int] = []
    while True:
        try:
            with WebSocketClient(owner, after=seqs[-1] if seqs else cursor) as ws:
                while True:
                    event = ws.receive(30)
                    seqs.append(event["seq"])
                    if event["type"] == "message.completed":
                        return seqs
        except ConnectionClosed as closed:
            if closed.rcvd and closed.rcvd.code != 4413:
                raise


def read_until_close(slow: ClientConnection) -> tuple[list[int], int]:
    """Return the seqs of the events that were sent, and the close code."""
    seqs: list[int] = []
    try:
        while True:
            seqs.append(json.loads(slow.recv(timeout=30))["seq"])
    except ConnectionClosed as closed:
        return seqs, closed.rcvd.code if closed.rcvd else 1006


TRANSPORTS = ["socket", "stream"]
LOOPS = ["uvloop", "asyncio"]


def request_slowly(owner: APIClient, transport: str) -> sockets.socket:
    """Return a connection that has sent a request, and has not read the response."""
    client = connect_slow(owner)
    client.sendall(build_request(owner, transport))
    return client


def build_request(owner: APIClient, transport: str) -> bytes:
    """Return the bytes of a request to subscribe to the session, or to get it."""
    head = f"Host: {urlsplit(owner.url).netloc}\r\nOrigin: {owner.url}\r\n"
    if transport == "socket":
        head += (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        path = f"{owner.path}/ws?ticket={owner.post(f'{owner.path}/ticket', {}).json()['ticket']}"
    else:
        head += f"Authorization: Bearer {owner.token}\r\n"
        path = f"{owner.path}/events" if transport == "stream" else owner.path
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


@pytest.fixture(params=TRANSPORTS)
def silent_client(request: pytest.FixtureRequest, limited: APIClient) -> Iterator[sockets.socket]:
    """A subscribed connection that reads nothing."""
    with request_slowly(limited, request.param) as client:
        yield client


@pytest.mark.security("S25")
def test_client_that_stops_reading_is_disconnected(
    silent_client: sockets.socket,
    write_reply: Callable[[], float],
    limited_stack: Stack,
    redis: Redis,
) -> None:
    """F26: within 30 s, whatever its kernel buffers. Then its subscription ends."""
    web = limited_stack.web()
    assert silent_client.recv(12, sockets.MSG_PEEK)
    ports = ports_of(silent_client)
    assert is_connected(ports)
    before = resident_kib(web.pid)
    started = time.monotonic()
    assert write_reply() < 30
    wait_until(lambda: not is_connected(ports), within=30)
    assert time.monotonic() - started < 30
    assert resident_kib(web.pid) - before < 64 * 1024
    wait_until(lambda: not subscribed_channels(redis))


@pytest.mark.security("S25")
@pytest.mark.parametrize("transport", ["stream", *thorough("socket", "page")])
def test_client_that_does_not_read_a_gap_is_disconnected(
    limited: APIClient, write_reply: Callable[[], float], redis: Redis, transport: str
) -> None:
    """The snapshot that replaces lost events must be read in time, too."""
    assert write_reply() < 30
    redis.ltrim(keys.for_session(limited.id).log, -1, -1)
    with request_slowly(limited, transport) as client:
        assert client.recv(12, sockets.MSG_PEEK)
        ports = ports_of(client)
        assert is_connected(ports)
        wait_until(lambda: not is_connected(ports), within=30)


@pytest.mark.security("S05")
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pieces", [4, *thorough(0, PIECE_COUNT)])
def test_slow_client_with_an_old_token_is_disconnected(
    owner: APIClient, redis: Redis, transport: str, pieces: int
) -> None:
    """Whether nothing is sent to it, more than its kernel buffers, or more than the server does."""
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    with request_slowly(owner, transport) as client:
        assert client.recv(12, sockets.MSG_PEEK)
        ports = ports_of(client)
        wait_until(lambda: subscribed_channels(redis))
        append_pieces(claim, pieces)
        assert is_connected(ports)
        owner.post(f"{owner.path}/token", {})
        wait_until(lambda: not is_connected(ports), within=ABORT_TIMEOUT)


@pytest.mark.thorough
@pytest.mark.security("S05")
@pytest.mark.parametrize(("loop", "transport"), list(zip(LOOPS, TRANSPORTS, strict=True)))
def test_slow_tls_client_with_an_old_token_is_disconnected(
    owner: APIClient, secure: Callable[[str], Process], redis: Redis, transport: str, loop: str
) -> None:
    """A TLS shutdown would wait for the client."""
    owner.post_message("hello")
    web = secure(loop)
    with INSECURE_TLS.wrap_socket(connect_slow(APIClient(web.url))) as client:
        client.sendall(build_request(owner, transport))
        assert client.recv(12)
        ports = ports_of(client)
        wait_until(lambda: subscribed_channels(redis))
        assert is_connected(ports)
        owner.post(f"{owner.path}/token", {})
        wait_until(lambda: not is_connected(ports), within=ABORT_TIMEOUT)
    assert "Traceback" not in web.log


@pytest.fixture(scope="module")
def secure(
    parley: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Process]]:
    """Return a function that starts a web process with TLS on an event loop, once."""
    env = {**parley.redis_env, "CHAT_SSE_HEARTBEAT_INTERVAL": "0.2"}
    stack = Stack(tmp_path_factory.mktemp("tls"), env=env)
    certificate = str(raw_server.TLS / "good.pem")

    def start(loop: str) -> Process:
        web = stack.web(LOOPS.index(loop))
        if not web.is_running:
            port = urlsplit(web.url).port
            options = ("--loop", loop, "--ssl-certfile", certificate)
            ready = partial(is_healthy, f"tcp://127.0.0.1:{port}")
            web.program = replace(web.program, argv=web.program.argv + options, is_ready=ready)
            web.start()
        return web

    try:
        yield start
    finally:
        stack.shut_down()


def test_disconnect_with_pipelined_request_ends_subscription(
    owner: APIClient, secure: Callable[[str], Process], redis: Redis
) -> None:
    """The server reports the lost connection to the last request, which is still queued."""
    behind = f"GET /live HTTP/1.1\r\nHost: {urlsplit(owner.url).netloc}\r\n\r\n".encode()
    with INSECURE_TLS.wrap_socket(connect_slow(APIClient(secure("asyncio").url))) as client:
        client.sendall(build_request(owner, "stream") + behind)
        assert client.recv(12)
        wait_until(lambda: subscribed_channels(redis))
    wait_until(lambda: not subscribed_channels(redis))


def test_slow_but_steady_client_gets_everything(
    limited: APIClient, write_reply: Callable[[], float]
) -> None:
    """It takes twice the time after which a client that reads nothing is disconnected."""
    assert write_reply() < 30
    pause = 2 * float(LOW_LIMITS["CHAT_WRITE_TIMEOUT"]) / PIECE_COUNT
    with request_slowly(limited, "page") as client:
        received = 0
        while received < PIECE_COUNT * len(PIECE):
            time.sleep(pause)
            size = len(client.recv(len(PIECE), sockets.MSG_WAITALL))
            assert size
            received += size


class RecordingProtocol(asyncio.Protocol):
    """Stores its transport, as uvicorn's protocols do."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport


class WritingProtocol(WriteTimeoutMixin, RecordingProtocol):
    """Sends a little more than the client's kernel buffers."""

    def __init__(self) -> None:
        self.is_lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        while not transport.get_write_buffer_size():
            transport.write(b"x" * 16 * 1024)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.is_lost.set()


@pytest.mark.security("S25")
def test_half_closed_client_is_disconnected(
    settings: Settings,
) -> None:
    """The event loop closes the connection then, and would wait for the client forever."""
    settings.CHAT_WRITE_TIMEOUT = 0.1

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        answering = WritingProtocol()
        async with await loop.create_server(lambda: answering, "127.0.0.1", 0) as server:
            with sockets.create_connection(server.sockets[0].getsockname()) as client:
                client.shutdown(sockets.SHUT_WR)
                await asyncio.wait_for(answering.is_lost.wait(), 20)
        assert answering.transport.inner is CLOSED  # it frees 250 kB with TLS

    asyncio.run(leave())


def ports_of(client: sockets.socket) -> tuple[str, str]:
    """Return the ports of the server and the client, in the format of /proc/net/tcp."""
    return f":{client.getpeername()[1]:04X}", f":{client.getsockname()[1]:04X}"


def is_connected(ports: tuple[str, str]) -> bool:
    """Return whether the server's end of the connection is open.

    The client's port alone is not enough: connections to other servers may have the same.
    """
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    local, remote = ports
    return any(
        row[1].endswith(local) and row[2].endswith(remote) and row[3] == established for row in rows
    )
