"""The end of a session, token or process closes its subscriptions, with the reason."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosedError

from chat.store import due
from tests.harness.redis_cluster import subscribed_channels
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient

Connect = Callable[..., WebSocketClient]
OpenStream = Callable[..., EventStreamClient]
# Seconds, from docs/security.md (S05).
AT_MOST = 5.0


@pytest.mark.security("S05")
def test_token_rotation_closes_old_subscriptions(
    owner: APIClient, connect: Connect, open_stream: OpenStream
) -> None:
    owner.post_message("hello")
    ws, sse = connect(owner), open_stream(owner)
    assert (ws.receive()["seq"], sse.receive()["seq"]) == (1, 1)
    started = time.monotonic()
    new = owner.post(f"{owner.path}/token", {}).json()["token"]
    assert ws.close_code(AT_MOST) == 4401
    assert sse.receive_all() == []
    assert time.monotonic() - started < AT_MOST
    owner.token = new
    connect(owner).wait_until_authenticated()


def test_command_with_an_old_token_is_rejected(owner: APIClient, connect: Connect) -> None:
    owner.post_message("hello")
    ws = connect(owner)
    assert ws.receive()["seq"] == 1
    owner.post(f"{owner.path}/token", {})
    with suppress(ConnectionClosedError):  # the subscriber may have been closed already
        ws.send_frame(type="message.create", content="hello")
    assert ws.close_code(AT_MOST) == 4401
    assert owner.get().status_code == 404


def test_deleted_session_sends_a_last_event(
    owner: APIClient, connect: Connect, open_stream: OpenStream
) -> None:
    owner.post_message("hello")
    ws, sse = connect(owner), open_stream(owner)
    assert (ws.receive()["seq"], sse.receive()["seq"]) == (1, 1)
    started = time.monotonic()
    owner.request("DELETE", owner.path)
    event = ws.receive(AT_MOST)
    assert (event["type"], event["seq"]) == ("session.deleted", 2)
    assert ws.close_code(AT_MOST) == 4404
    assert [event["type"] for event in sse.receive_all()] == ["session.deleted"]
    assert time.monotonic() - started < AT_MOST
    assert connect(owner).close_code() == 4404


@pytest.mark.security("S05")
def test_expired_session_sends_a_last_event(
    parley: Stack, connect: Connect, open_stream: OpenStream
) -> None:
    owner = APIClient(parley.web().url).open_session(ttl=1)
    ws, sse = connect(owner), open_stream(owner)
    wait_until(due.claim_due)
    due.recover([owner.id], grace=1)
    event = ws.receive(1 + AT_MOST)
    assert (event["type"], event["seq"]) == ("session.expired", 1)
    assert ws.close_code(AT_MOST) == 4401
    assert [event["type"] for event in sse.receive_all()] == ["session.expired"]


def test_last_event_has_the_time_of_redis(limited: APIClient, connect: Connect) -> None:
    """Like all events. The clock of the web process is wrong."""
    limited.post_message("hello")
    ws = connect(limited)
    assert ws.receive()["seq"] == 1
    before = limited.get_session()["last_active_at"]
    limited.request("DELETE", limited.path)
    assert before <= ws.receive(AT_MOST)["created_at"] < before + 3600


def test_stopped_web_process_closes_all_subscriptions(
    parley: Stack, tmp_path: Path, connect: Connect, open_stream: OpenStream, redis: Redis
) -> None:
    other = Stack(tmp_path, env=parley.redis_env)
    web = other.web().start()
    try:
        owner, poller = APIClient(web.url).open_session(), APIClient(web.url).open_session()
        owner.post_message("hello")
        ws, sse = connect(owner), open_stream(owner)
        ws.wait_until_authenticated()
        assert sse.receive()["seq"] == 1
        with ThreadPoolExecutor(1) as threads:
            polled = threads.submit(poller.get, params={"after": 0, "wait": 20})
            wait_until(lambda: len(subscribed_channels(redis)) == 2)
            started = time.monotonic()
            web.signal(signal.SIGTERM)
            assert ws.close_code() == 1012
            assert sse.receive_all() == []
            assert polled.result(5).json()["seq"] == 0
        wait_until(lambda: not web.is_running)
        assert time.monotonic() - started < 10
        assert web.exit_code == 0
        assert "Traceback" not in web.log
    finally:
        other.shut_down()
