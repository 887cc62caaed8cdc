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
from chat.redis_url import watched
from chat.settings import chat_settings
from chat.store.connection import ONCE, Wire

TRIES = 2
"""Times that a call is sent; each may take its share of `STORE_TIMEOUT`."""
SILENCE = 0.5
"""Seconds for which nothing is asked of a Redis that has let a call wait in vain.

Without it a process's threads would wait one after the other, and the last client in the line the
longest: measured, 50 clients of 8 threads for up to ten seconds.
"""
OF_THE_SERVER = (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)
"""Errors by which a server says that it cannot now, and not that it was asked for nonsense."""
WORDS = ("BUSY", "LOADING", "MISCONF", "NOREPLICAS")
"""How those begin for which redis-py has no class."""


class Store(Redis):
    """A client that remembers when its server was silent; threads share it.

    A moment that two threads write at once is the same moment to within what it takes.
    """

    silent_until = 0.0
    """`time.monotonic()` until which it is asked nothing."""

    @cached_property
    def wire(self) -> Wire:
        """Its connections for what is asked most: scripts."""
        return Wire(self.connection_pool, tries=TRIES)


def check() -> None:
    """Look at the form of Redis's URL; nothing is connected yet.

    Raises:
        ConfigError: it is not one of Redis's URLs.
    """
    try:
        if watched(settings.REDIS_URL):
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
def client() -> Store:
    """Return this process's client; it is safe to share between threads.

    A call that got no answer is sent once more: every script is safe to run twice.
    """
    patience = chat_settings.STORE_TIMEOUT / TRIES
    bounds: dict[str, Any] = {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), TRIES - 1),
        "max_connections": chat_settings.WORKER_CONCURRENCY + 64,
    }
    primary = watched(settings.REDIS_URL)
    if primary is None:
        return cast("Store", Store.from_url(settings.REDIS_URL, **bounds))
    # Each of them is asked where the primary is, before that is connected to.
    asking = {
        "socket_timeout": patience / 2,
        "socket_connect_timeout": patience / 2,
        "retry": ONCE,  # redis-py would ask a dead one eleven times, with seconds between
    }
    untyped: Any = Sentinel
    made = untyped(primary.sentinels, sentinel_kwargs=asking).master_for(
        primary.service, redis_class=Store, **primary.login, **bounds
    )
    return cast("Store", made)


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis's errors into Parley's; one that tells of a fault of Parley's own passes.

    For `SILENCE` after a call that got no answer the next ones fail at once, in all threads.

    Raises:
        StoreFull: Redis has reached `maxmemory`.
        StoreUnavailable: Redis cannot be reached, is loading, is read-only or failed otherwise.
    """
    store = client()
    if time.monotonic() < store.silent_until:
        raise StoreUnavailable(retry_after=1) from TimeoutError("no answer a moment ago")
    try:
        yield
    except TimeoutError as error:
        store.silent_until = time.monotonic() + SILENCE
        raise StoreUnavailable(retry_after=1) from error
    except OutOfMemoryError as error:
        raise StoreFull(retry_after=5) from error
    except RedisError as error:
        if is_own_fault(error):
            raise
        raise StoreUnavailable(retry_after=1) from error


def is_own_fault(error: RedisError) -> bool:
    """Whether an error says that Parley's call was wrong, and would be again."""
    if not isinstance(error, ResponseError) or isinstance(error, OF_THE_SERVER):
        return False
    return not str(error).startswith(WORDS)


def ping() -> None:
    """Ask Redis for a sign of life.

    Raises:
        StoreUnavailable: it gives none within `STORE_TIMEOUT`.
    """
    with translated():
        client().ping()
