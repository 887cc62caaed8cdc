"""Redis, and the commands in this process; the tests take the place of a worker."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings
from redis import Redis

from tests.harness.stack import Stack
from tests.harness.store import empty_store


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("transcripts")) as stack:
        stack.redis.start()
        yield stack


@pytest.fixture(autouse=True)
def redis(server: Stack, settings: Settings) -> Iterator[Redis]:
    """A client of an empty Redis, which this process's store uses."""
    settings.BROKER_URL = server.broker_url
    with empty_store(server.redis.url, settings) as raw:
        yield raw
