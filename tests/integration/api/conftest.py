"""Redis and a web process, but no worker: tests use `fake_worker` instead."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pytest_django import Settings
from redis import Redis

from chat.store.client import client
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient


@pytest.fixture(scope="session")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack without rate limits."""
    env = {"CHAT_MESSAGES_PER_MINUTE": "0", "CHAT_SESSIONS_PER_MINUTE": "0"}
    stack = Stack(tmp_path_factory.mktemp("api"), env=env)
    try:
        stack.redis.start()
        stack.web().start()
        yield stack
    finally:
        stack.shut_down()


@pytest.fixture(autouse=True)
def redis(parley: Stack, settings: Settings) -> Iterator[Redis]:
    """A client of the web process's Redis, which is flushed. The test's store uses it as well."""
    settings.REDIS_URL = parley.redis.url
    client.cache_clear()
    with closing(Redis.from_url(parley.redis.url)) as raw, closing(client()):
        raw.flushall()
        yield raw
    assert keys_without_ttl(parley.redis.url) == []
    client.cache_clear()


@pytest.fixture
def api(parley: Stack) -> APIClient:
    """A client without a token."""
    return APIClient(parley.web().url)


@pytest.fixture
def owner(api: APIClient) -> APIClient:
    """A client with the token of a new session."""
    return api.open_session()


@pytest.fixture
def api_with(parley: Stack) -> Iterator[Callable[..., APIClient]]:
    """Return a function that starts another web process with other settings."""
    started: list[Stack] = []

    def start(**env: str) -> APIClient:
        directory = parley.directory / f"other{len(started)}"
        directory.mkdir(exist_ok=True)
        other = Stack(directory, env={"REDIS_URL": parley.redis.url} | env)
        started.append(other)
        return APIClient(other.web().start().url)

    try:
        yield start
    finally:
        for stack in started:
            stack.shut_down()
