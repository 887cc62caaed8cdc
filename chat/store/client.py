"""The connection to Redis, and the translation of its errors."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  # redis-py's own; no other is meant in this module
    TryAgainError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from chat.domain.errors import ConfigError, StoreFull, StoreUnavailable
from chat.redis_url import parse_sentinel_url
from chat.settings import chat_settings
from chat.store.connection import NO_RETRY, ScriptConnection

MAX_TRIES = 2
"""Times that a call is sent; each may take its share of `STORE_TIMEOUT`."""
COOLDOWN = 0.5
"""Seconds for which nothing is asked of a Redis that has let a call wait in vain.

Without it a process's threads would wait one after the other, and the last client in the line the
longest: measured, 50 clients of 8 threads for up to ten seconds.
"""
UNAVAILABLE_ERRORS = (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)
"""Errors by which a server says that it cannot now, and not that it was asked for nonsense."""
UNAVAILABLE_PREFIXES = ("BUSY", "LOADING", "MISCONF", "NOREPLICAS")
"""How those begin for which redis-py has no class."""


class StoreClient(Redis):
    """A client that remembers when its server was silent; threads share it.

    A moment that two threads write at once is the same moment to within what it takes.
    """

    unavailable_until = 0.0
    """`time.monotonic()` until which it is asked nothing."""

    @cached_property
    def scripts(self) -> ScriptConnection:
        """Its connections for what is asked most: scripts."""
        return ScriptConnection(self.connection_pool, max_tries=MAX_TRIES)


def check_redis_url() -> None:
    """Look at the form of Redis's URL; nothing is connected yet.

    Raises:
        ConfigError: it is not one of Redis's URLs.
    """
    try:
        if parse_sentinel_url(settings.REDIS_URL):
            return
        found = parse_url(settings.REDIS_URL)  # type: ignore[no-untyped-call]
    except ConfigError as error:
        raise ConfigError(f"REDIS_URL: {error.message}") from error
    except ValueError as error:
        # Without what `error` quotes, which may be the password.
        kinds = "redis://, rediss://, unix:// or sentinel://"
        raise ConfigError(f"REDIS_URL: not a URL of {kinds}") from error
    database = urlsplit(settings.REDIS_URL).path.strip("/")
    if "path" not in found and database and "db" not in found:
        raise ConfigError(f"REDIS_URL: {database!r} is not the number of a database")


@cache
def client() -> StoreClient:
    """Return this process's client; it is safe to share between threads.

    A call that got no answer is sent once more: every script is safe to run twice.
    """
    patience = chat_settings.STORE_TIMEOUT / MAX_TRIES
    bounds: dict[str, Any] = {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), MAX_TRIES - 1),
        "max_connections": chat_settings.WORKER_CONCURRENCY + 64,
    }
    primary = parse_sentinel_url(settings.REDIS_URL)
    if primary is None:
        return cast("StoreClient", StoreClient.from_url(settings.REDIS_URL, **bounds))
    # Each of them is asked where the primary is, before that is connected to.
    asking = {
        "socket_timeout": patience / 2,
        "socket_connect_timeout": patience / 2,
        "retry": NO_RETRY,  # redis-py would ask a dead one eleven times, with seconds between
    }
    untyped: Any = Sentinel
    made = untyped(primary.sentinels, sentinel_kwargs=asking).master_for(
        primary.service, redis_class=StoreClient, **primary.login_kwargs, **bounds
    )
    return cast("StoreClient", made)


@contextmanager
def map_errors() -> Iterator[None]:
    """Turn Redis's errors into Parley's; one that tells of a fault of Parley's own passes.

    For `SILENCE` after a call that got no answer the next ones fail at once, in all threads.

    Raises:
        StoreFull: Redis has reached `maxmemory`.
        StoreUnavailable: Redis cannot be reached, is loading, is read-only or failed otherwise.
    """
    store = client()
    if time.monotonic() < store.unavailable_until:
        raise StoreUnavailable(retry_after=1) from TimeoutError("no answer a moment ago")
    try:
        yield
    except TimeoutError as error:
        store.unavailable_until = time.monotonic() + COOLDOWN
        raise StoreUnavailable(retry_after=1) from error
    except OutOfMemoryError as error:
        raise StoreFull(retry_after=5) from error
    except RedisError as error:
        if is_programming_error(error):
            raise
        raise StoreUnavailable(retry_after=1) from error


def is_programming_error(error: RedisError) -> bool:
    """Whether an error says that Parley's call was wrong, and would be again."""
    if not isinstance(error, ResponseError) or isinstance(error, UNAVAILABLE_ERRORS):
        return False
    return not str(error).startswith(UNAVAILABLE_PREFIXES)


def ping() -> None:
    """Ask Redis for a sign of life.

    Raises:
        StoreUnavailable: it gives none within `STORE_TIMEOUT`.
    """
    with map_errors():
        client().ping()
