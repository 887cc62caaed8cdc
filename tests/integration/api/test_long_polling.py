"""Long-polls return when something changes, and use no thread until then."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis

from tests.harness.proxy import Proxy
from tests.harness.redis_cluster import needs_one_server, subscribed_channels
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, RawConnection, status_and_code
from tests.integration.api.fake_worker import append_text, claim_turn, finish_turn


def channel_count(redis: Redis) -> int:
    """Return the number of sessions with subscribers."""
    return len(subscribed_channels(redis))


@pytest.fixture
def poll(redis: Redis) -> Callable[..., Future[requests.Response]]:
    """Return a function that starts a long-poll, and returns when it has subscribed."""
    threads = ThreadPoolExecutor(8)

    def start(owner: APIClient, **arguments: Any) -> Future[requests.Response]:
        polled = threads.submit(owner.get, **arguments)
        wait_until(lambda: channel_count(redis))
        return polled

    return start


Poll = Callable[..., Future[requests.Response]]


def test_poll_without_a_cursor_returns_immediately(owner: APIClient) -> None:
    started = time.monotonic()
    assert owner.get_session(wait=20)["seq"] == 0
    assert time.monotonic() - started < 10


def test_poll_returns_immediately_after_a_change(owner: APIClient) -> None:
    owner.post_message("hello")
    started = time.monotonic()
    assert len(owner.get_session(after=0, wait=20)["messages"]) == 2
    assert time.monotonic() - started < 10


def test_cursor_ahead_of_the_log_gets_all_messages(owner: APIClient) -> None:
    owner.post_message("hello")
    assert len(owner.get_session(after=50, wait=5)["messages"]) == 2
    assert len(owner.get_session(after=50)["messages"]) == 2


def test_poll_without_a_change_returns_no_messages(owner: APIClient) -> None:
    started = time.monotonic()
    session = owner.get_session(after=0, wait=0.5)
    assert 0.5 <= time.monotonic() - started < 10
    assert session["messages"] == []


def test_poll_by_etag_without_a_change_returns_304(owner: APIClient) -> None:
    etag = owner.get().headers["ETag"]
    started = time.monotonic()
    response = owner.get(params={"wait": 0.5}, headers={"If-None-Match": etag})
    assert 0.5 <= time.monotonic() - started < 10
    assert (response.status_code, response.content) == (304, b"")


def test_every_event_wakes_a_poll(owner: APIClient, poll: Poll) -> None:
    waiting = poll(owner, params={"after": 0, "wait": 20})
    owner.post_message("hello")
    seq = waiting.result().json()["seq"]
    waiting = poll(owner, params={"after": seq, "wait": 20})
    claim = claim_turn(owner.id)
    seq = waiting.result().json()["seq"]
    waiting = poll(owner, params={"after": seq, "wait": 20})
    append_text(claim, "part")
    session = waiting.result().json()
    assert [message["content"] for message in session["messages"]] == ["part"]
    waiting = poll(owner, params={"after": session["seq"], "wait": 20})
    finish_turn(claim, after="part")
    assert waiting.result().json()["messages"][0]["status"] == "completed"


def test_poll_wakes_within_50_ms(owner: APIClient, poll: Poll) -> None:
    """The best of ten, because the machine may be busy."""
    delays = []
    for _ in range(10):
        waiting = poll(owner, params={"after": owner.get_session()["seq"], "wait": 20})
        accepted = owner.post("/messages", {"content": "wake up"})
        sent = time.monotonic()
        assert accepted.status_code == 202
        waiting.result()
        delays.append(time.monotonic() - sent)
    assert min(delays) < 0.05


def test_poll_by_etag_wakes(owner: APIClient, poll: Poll) -> None:
    etag = owner.get().headers["ETag"]
    waiting = poll(owner, params={"wait": 20}, headers={"If-None-Match": etag})
    owner.post_message("hello")
    assert waiting.result().json()["seq"] == 1


def test_poll_of_a_deleted_session_returns_404(owner: APIClient, poll: Poll) -> None:
    waiting = poll(owner, params={"after": 0, "wait": 20})
    owner.request("DELETE", owner.path)
    assert status_and_code(waiting.result()) == (404, "session_not_found")


@pytest.mark.security("S05")
def test_token_rotation_ends_a_poll(owner: APIClient, poll: Poll) -> None:
    waiting = poll(owner, params={"after": 0, "wait": 20})
    owner.post(f"{owner.path}/token")
    assert status_and_code(waiting.result()) == (404, "session_not_found")


@needs_one_server
def test_polls_of_one_session_share_a_channel(owner: APIClient, redis: Redis) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(owner.get_session, after=0, wait=20) for _ in range(4)]
        wait_until(lambda: channel_count(redis) == 1)
        (channel,) = subscribed_channels(redis)
        assert dict(redis.pubsub_numsub(channel)) == {channel: 1}
        wait_until(lambda: all(future.running() for future in waiting))
        owner.post_message("hello")
        assert {future.result()["seq"] for future in waiting} == {1}
    wait_until(lambda: channel_count(redis) == 0)


def test_disconnect_ends_the_subscription(owner: APIClient, redis: Redis) -> None:
    with RawConnection(owner.url) as connection:
        connection.send_headers(
            f"GET {owner.path}?after=0&wait=30 HTTP/1.1", Authorization=f"Bearer {owner.token}"
        )
        wait_until(lambda: channel_count(redis) == 1)
    wait_until(lambda: channel_count(redis) == 0)


@needs_one_server
def test_hundred_polls_use_no_thread_and_one_connection(
    parley: Stack, owner: APIClient, redis: Redis
) -> None:
    owners = [APIClient(owner.url).open_session() for _ in range(100)]
    owners[0].get_session(after=0, wait=0.1)
    tasks = Path(f"/proc/{parley.web().pid}/task")
    threads = len(list(tasks.iterdir()))
    connections = [RawConnection(owner.url) for _ in owners]
    for connection, each in zip(connections, owners, strict=True):
        connection.send_headers(
            f"GET {each.path}?after=0&wait=30 HTTP/1.1", Authorization=f"Bearer {each.token}"
        )
    wait_until(lambda: channel_count(redis) == 100)
    # A read uses one of the event loop's few threads for a moment.
    assert len(list(tasks.iterdir())) <= threads + 8
    assert len(redis.client_list(_type="pubsub")) == 1
    for each in owners:
        each.post_message("hello")
    assert all(
        connection.read_response().startswith(b"HTTP/1.1 200 ") for connection in connections
    )
    for connection in connections:
        connection.__exit__()


@needs_one_server
def test_poll_survives_a_redis_restart(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(appendonly=True)
    stack.redis.start()
    owner = APIClient(stack.web().start().url).open_session()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(owner.get, params={"after": 0, "wait": 25})
        with Redis.from_url(stack.redis.url) as raw:
            wait_until(lambda: channel_count(raw) == 1)
        stack.redis.kill()
        stack.redis.start()
        with Redis.from_url(stack.redis.url) as raw:
            wait_until(lambda: channel_count(raw) == 1 or waiting.done())
        posted = wait_until(
            lambda: (
                (response := owner.post("/messages", {"content": "hi"})).status_code == 202
                and response
            )
        )
        assert posted
        response = waiting.result()
    # The read during the outage may return an error; then the client polls again.
    assert response.status_code in {200, 503}


@needs_one_server
def test_poll_does_not_delay_a_shutdown(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack()
    stack.redis.start()
    owner = APIClient(stack.web().start().url).open_session()
    stopped = threading.Event()

    def poll() -> None:
        with RawConnection(owner.url) as connection:
            connection.send_headers(
                f"GET {owner.path}?after=0&wait=30 HTTP/1.1", Authorization=f"Bearer {owner.token}"
            )
            connection.is_closed_within(20)
        stopped.set()

    threading.Thread(target=poll, daemon=True).start()
    with Redis.from_url(stack.redis.url) as raw:
        wait_until(lambda: channel_count(raw) == 1)
    started = time.monotonic()
    stack.web().stop(within=10)
    assert time.monotonic() - started < 8
    assert stopped.wait(5)


@needs_one_server
@pytest.mark.thorough
@pytest.mark.parametrize("trouble", [Proxy.disconnect, Proxy.half_open])
def test_poll_survives_a_lost_redis_connection(
    parley: Stack,
    api_with: Callable[..., APIClient],
    owner: APIClient,
    poll: Poll,
    trouble: Callable[[Proxy], object],
) -> None:
    """An event during the outage is found soon, even if no error is reported."""
    with Proxy(parley.redis.url) as proxy:
        other = api_with(REDIS_URL=proxy.url)
        behind = APIClient(other.url, id=owner.id, token=owner.token)
        waiting = poll(behind, params={"after": 0, "wait": 25})
        trouble(proxy)
        owner.post_message("hello")
        response = waiting.result(10)
    # The read during the outage may return an error; then the client polls again.
    assert response.status_code in {200, 503}
