"""Redis and web processes, but no worker: tests use `fake_worker` instead."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from tests.harness.stack import Stack
from tests.harness.store import empty_store
from tests.integration.api.client import APIClient
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient

# Limits that a test can reach.
LOW_LIMITS = {
    "CHAT_AUTH_TIMEOUT": "2",
    "CHAT_MAX_SUBSCRIBERS": "3",
    "CHAT_FRAMES_BURST": "10",
    "CHAT_FRAMES_PER_MINUTE": "60",
    "CHAT_MAX_BUFFERED_BYTES": "262144",
    "CHAT_SOCKET_ORIGINS": "null, missing, https://friend.example",
    "CHAT_WRITE_TIMEOUT": "2",
    "CHAT_SSE_HEARTBEAT_INTERVAL": "0.2",
    "CHAT_TICKET_TTL": "2",
    "CHAT_URL_TOKENS": "False",
}
# A day ahead of Redis, whose time is the one to use.
WRONG_CLOCK = {
    "PYTHONPATH": str(Path(__file__).parents[2] / "acceptance" / "shifted_clock"),
    "CLOCK_SHIFT": "86400",
}
# Enough for the largest replies, which the tests append as a worker does.
LOG_BYTES = 32 * 1024 * 1024
NO_RATE_LIMITS = {
    "CHAT_EVENT_LOG_BYTES": str(LOG_BYTES),
    "CHAT_MESSAGES_PER_MINUTE": "0",
    "CHAT_CHANGES_PER_MINUTE": "0",
    "CHAT_MAX_SESSIONS_PER_ADDRESS": "0",
    "CHAT_MAX_BYTES_PER_ADDRESS": "0",
    "CHAT_SESSIONS_PER_MINUTE": "0",
}


@pytest.fixture(scope="session")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis and two web processes."""
    env = NO_RATE_LIMITS | {"CORS_ORIGINS": "https://listed.example"}
    with Stack(tmp_path_factory.mktemp("realtime"), env=env) as stack:
        stack.redis.start()
        for number in (0, 1):
            stack.web(number).launch()
        for number in (0, 1):
            stack.web(number).wait_until_ready()
        yield stack


@pytest.fixture(scope="session")
def limited_stack(parley: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A web process with low limits and a wrong clock, on the same Redis."""
    env = NO_RATE_LIMITS | LOW_LIMITS | WRONG_CLOCK | parley.redis_env
    with Stack(tmp_path_factory.mktemp("limited"), env=env) as stack:
        stack.web().start()
        yield stack


@pytest.fixture(autouse=True)
def redis(parley: Stack, settings: Settings) -> Iterator[Redis]:
    """A client of the web processes' Redis, which is flushed. The test's store uses it as well."""
    settings.CHAT_EVENT_LOG_BYTES = LOG_BYTES
    with empty_store(parley.redis.url, settings) as raw:
        yield raw


@pytest.fixture
def owner(parley: Stack) -> APIClient:
    """A client with the token of a new session."""
    return APIClient(parley.web().url).open_session()


@pytest.fixture
def limited(limited_stack: Stack) -> APIClient:
    """A client of the web process with low limits, with the token of a new session."""
    return APIClient(limited_stack.web().url).open_session()


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """A stack for context managers, closed at the end of the test."""
    with ExitStack() as exit_stack:
        yield exit_stack


@pytest.fixture
def connect(clients: ExitStack) -> Callable[..., WebSocketClient]:
    """Return a function that opens a WebSocket, with the arguments of `WebSocketClient`."""

    def connect_client(owner: APIClient, **arguments: Any) -> WebSocketClient:
        return clients.enter_context(WebSocketClient(owner, **arguments))

    return connect_client


@pytest.fixture
def open_stream(clients: ExitStack) -> Callable[..., EventStreamClient]:
    """Return a function that opens an event stream, with the arguments of `EventStreamClient`."""

    def open_client(owner: APIClient, **arguments: Any) -> EventStreamClient:
        return clients.enter_context(EventStreamClient(owner, **arguments))

    return open_client
