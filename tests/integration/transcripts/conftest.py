"""Redis, and the commands in this process; the tests take the place of a worker."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from pytest_django import Settings
from redis import Redis

from chat.store.client import client as store_client
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.processes import Process
from tests.harness.stack import Stack


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    stack = Stack(tmp_path_factory.mktemp("transcripts"))
    try:
        yield stack.redis.start()
    finally:
        stack.shut_down()


@pytest.fixture(autouse=True)
def redis(server: Process, settings: Settings) -> Iterator[Redis]:
    """A client of an empty Redis, which this process's store uses."""
    settings.REDIS_URL = settings.BROKER_URL = server.url
    store_client.cache_clear()
    with closing(Redis.from_url(server.url)) as raw, closing(store_client()):
        raw.flushall()
        yield raw
    assert keys_without_ttl(server.url) == []
    store_client.cache_clear()
