"""Redis and a web process, but no worker: tests use `fake_worker` instead."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings
from redis import Redis

from tests.harness.stack import Stack
from tests.harness.store import empty_store
from tests.integration.api.client import APIClient


@pytest.fixture(scope="session")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack without rate limits."""
    env = {"CHAT_MESSAGES_PER_MINUTE": "0", "CHAT_SESSIONS_PER_MINUTE": "0"}
    env["CHAT_CHANGES_PER_MINUTE"] = "0"
    env["CHAT_MAX_SESSIONS_PER_ADDRESS"] = env["CHAT_MAX_BYTES_PER_ADDRESS"] = "0"
    with Stack(tmp_path_factory.mktemp("api"), env=env) as stack:
        stack.redis.start()
        stack.web().start()
        yield stack


@pytest.fixture(autouse=True)
def redis(parley: Stack, settings: Settings) -> Iterator[Redis]:
    """A client of the web process's Redis, which is flushed. The test's store uses it as well."""
    with empty_store(parley.redis.url, settings) as raw:
        yield raw


@pytest.fixture
def api(parley: Stack) -> APIClient:
    """A client without a token."""
    return APIClient(parley.web().url)


@pytest.fixture
def owner(api: APIClient) -> APIClient:
    """A client with the token of a new session."""
    return api.open_session()


@pytest.fixture
def api_with(
    parley: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., APIClient]]:
    """Return a function that starts another web process with other settings."""
    with ExitStack() as started:

        def start(**env: str) -> APIClient:
            other = Stack(tmp_path_factory.mktemp("other"), env=parley.redis_env | env)
            return APIClient(started.enter_context(other).web().start().url)

        yield start
