"""Point the store of the test process at a Redis server."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pytest_django import Settings
from redis import Redis

from chat.store.client import client
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.redis_cluster import connect


@contextmanager
def empty_store(url: str, settings: Settings) -> Iterator[Redis]:
    """Empty the server and yield a client of it; at the end, no key without a TTL may be left."""
    settings.REDIS_URL = url
    client.cache_clear()
    with closing(connect(url)) as redis, closing(client()):
        redis.flushall()
        yield redis
    assert keys_without_ttl(url) == []
    client.cache_clear()
