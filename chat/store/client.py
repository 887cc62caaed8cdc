"""The connection to Redis, and the translation of its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from chat.conf import knobs
from chat.errors import StoreFull, StoreUnavailable

TRIES = 2
"""Times that a call is sent; each may take its share of `STORE_TIMEOUT`."""


@cache
def client() -> Redis:
    """Return this process's client; it is safe to share between threads.

    A call that got no answer is sent once more: every script is safe to run twice.
    """
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=knobs.STORE_TIMEOUT / TRIES,
        socket_connect_timeout=knobs.STORE_TIMEOUT / TRIES,
        retry=Retry(NoBackoff(), TRIES - 1),
        max_connections=knobs.WORKER_CONCURRENCY + 64,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis's errors into Parley's.

    Raises:
        StoreFull: Redis has reached `maxmemory`.
        StoreUnavailable: Redis cannot be reached, is loading, is read-only or failed otherwise.
    """
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFull(retry_after=5) from error
    except RedisError as error:
        raise StoreUnavailable(retry_after=1) from error


def ping() -> None:
    """Ask Redis for a sign of life.

    Raises:
        StoreUnavailable: it gives none within `STORE_TIMEOUT`.
    """
    with translated():
        client().ping()
