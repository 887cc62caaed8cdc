"""A silent pub/sub connection delays events by a second at most; no event is lost."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.proxy import BLOCK_BYTES, Connection, Proxy
from tests.harness.redis_cluster import needs_one_server
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient
from tests.integration.api.fake_worker import append_text, claim_turn, finish_turn
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient

pytestmark = needs_one_server
Connect = Callable[..., WebSocketClient]
OpenStream = Callable[..., EventStreamClient]
# Seconds: the documented maximum, and a margin for a busy machine.
MAX_DELAY = 1.0 + 2.0


class LossyProxy(Proxy):
    """Drops what Redis sends on a pub/sub connection after it has confirmed a subscription."""

    dropped = 0

    def _forward_responses(self, link: Connection) -> None:
        is_subscribed = False
        with suppress(OSError):
            while block := link.server.recv(BLOCK_BYTES):
                if is_subscribed:
                    self.dropped += 1
                else:
                    link.client.sendall(block)
                    is_subscribed = b"$9\r\nsubscribe\r\n" in block
        self._close(link)


@pytest.fixture(scope="module")
def lossy_proxy(parley: Stack) -> Iterator[LossyProxy]:
    with LossyProxy(parley.redis.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def web(lossy_proxy: LossyProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a web process that gets no pub/sub messages."""
    directory: Path = tmp_path_factory.mktemp("deaf")
    with Stack(directory, env={"REDIS_URL": lossy_proxy.url}) as stack:
        yield stack.web().start().url


@pytest.fixture
def lossy_owner(owner: APIClient, web: str) -> APIClient:
    """The owner's client, for the web process that gets no pub/sub messages."""
    return APIClient(web, id=owner.id, token=owner.token)


def test_every_event_arrives_within_a_second(
    owner: APIClient,
    lossy_owner: APIClient,
    connect: Connect,
    open_stream: OpenStream,
    lossy_proxy: LossyProxy,
) -> None:
    ws, sse = connect(lossy_owner), open_stream(lossy_owner)
    ws.wait_until_authenticated()
    owner.post_message("hello")
    claim, text = claim_turn(owner.id), ""
    for piece in ("one ", "two ", "three"):
        before = time.monotonic()
        append_text(claim, piece, after=text)
        text += piece
        assert ws.receive_until("message.delta")[-1]["delta"] == piece
        assert time.monotonic() - before < MAX_DELAY
    before = time.monotonic()
    finish_turn(claim, after=text)
    assert ws.receive()["message"]["content"] == text
    assert time.monotonic() - before < MAX_DELAY
    received = sse.receive_until("message.completed")
    assert [event["seq"] for event in received] == [1, 2, 3, 4, 5, 6]
    assert lossy_proxy.dropped


def test_long_poll_wakes_within_a_second(owner: APIClient, lossy_owner: APIClient) -> None:
    with ThreadPoolExecutor(1) as threads:
        polled = threads.submit(lossy_owner.get, params={"after": 0, "wait": 20})
        time_of_post = time.monotonic()
        owner.post_message("hello")
        assert polled.result().json()["seq"] == 1
        assert time.monotonic() - time_of_post < MAX_DELAY


@pytest.mark.security("S05")
def test_session_end_is_noticed_without_a_message(
    owner: APIClient, lossy_owner: APIClient, connect: Connect
) -> None:
    """So is the rotation of a token."""
    owner.post_message("hello")
    ws = connect(lossy_owner)
    assert ws.receive()["seq"] == 1
    owner.token = owner.post(f"{owner.path}/token", {}).json()["token"]
    assert ws.close_code(5) == 4401
    lossy_owner.token = owner.token
    ws = connect(lossy_owner)
    assert ws.receive()["seq"] == 1
    owner.request("DELETE", owner.path)
    assert ws.receive_until("session.deleted", 5)
    assert ws.close_code(5) == 4404
