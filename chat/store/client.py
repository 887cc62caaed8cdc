"""The Redis client of a process, and the mapping of its errors."""

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, cast

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  # redis-py's
    TryAgainError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from chat.domain.errors import ConfigError, StoreFull, StoreUnavailable
from chat.redis_url import Kind, parse_redis_url
from chat.settings import chat_settings
from chat.store.connection import NO_RETRY, ScriptConnection

# A call is sent at most this many times; all tries share `STORE_TIMEOUT`.
MAX_TRIES = 2
# Seconds for which calls fail at once after a call has timed out. Otherwise the threads of a
# process would time out one after the other: measured, 50 clients of 8 threads waited up to ten
# seconds.
COOLDOWN = 0.5
# Errors of a server that cannot serve a valid call for now.
UNAVAILABLE_ERRORS = (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)
# Prefix of errors of a server that cannot write to its disk; it then executes no command that may
# write.
DISK_PREFIX = "MISCONF"
# Prefixes of such errors for which redis-py has no class.
UNAVAILABLE_PREFIXES = ("BUSY", "LOADING", DISK_PREFIX, "NOREPLICAS")
# The operating system's message when a disk has no free space.
NO_SPACE = os.strerror(errno.ENOSPC)
# The operating system's message in such an error. Errors of scripts continue after it.
AOF_ERROR = re.compile("writing to the AOF file: (.+?)(?: script: |$)")
CONNECTION_CLASSES = {
    Kind.TCP: Connection,
    Kind.TLS: SSLConnection,
    Kind.UNIX: UnixDomainSocketConnection,
}


class StoreClient(Redis):
    """A client, shared between threads, that remembers a timeout of its server."""

    # `time.monotonic()` until which calls fail at once. Threads that write it at the same time
    # write nearly the same value.
    unavailable_until = 0.0

    @cached_property
    def scripts(self) -> ScriptConnection:
        """The connections that scripts use."""
        return ScriptConnection(self.connection_pool, max_tries=MAX_TRIES)

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.scripts.disconnect_idle()
        super().close()


def check_redis_url() -> None:
    """Check the syntax of `REDIS_URL`, without connecting.

    Raises:
        ConfigError: it is not a URL of Redis.
    """
    try:
        parse_redis_url(settings.REDIS_URL)
    except ConfigError as error:
        raise ConfigError(f"REDIS_URL: {error.message}") from error


@cache
def client() -> StoreClient:
    """Return the client of this process; threads share it.

    A call that timed out is sent again: every script is safe to run twice.
    """
    timeout = chat_settings.STORE_TIMEOUT / MAX_TRIES
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), MAX_TRIES - 1),
        "max_connections": chat_settings.WORKER_CONCURRENCY + 64,
    }
    url = parse_redis_url(settings.REDIS_URL)
    if url.kind is not Kind.SENTINEL:
        pool = ConnectionPool(CONNECTION_CLASSES[url.kind], **{**options, **url.connection_kwargs})
        return StoreClient(connection_pool=pool)
    # Sentinels are queried for the primary before each connection to it.
    sentinel_options = {
        "socket_timeout": timeout / 2,
        "socket_connect_timeout": timeout / 2,
        "retry": NO_RETRY,  # redis-py would try a dead Sentinel eleven times, with seconds between
    }
    untyped: Any = Sentinel
    store = untyped(url.hosts, sentinel_kwargs=sentinel_options).master_for(
        url.service, redis_class=StoreClient, **{**options, **url.login_kwargs}
    )
    return cast("StoreClient", store)


@contextmanager
def map_redis_errors() -> Iterator[None]:
    """Map errors of Redis to errors of Parley; programming errors pass unchanged.

    For `COOLDOWN` seconds after a timeout, all calls of the process fail at once.

    Raises:
        StoreFull: Redis has reached `maxmemory`.
        StoreUnavailable: Redis cannot be reached, is loading, is read-only or failed otherwise.
    """
    store = client()
    if time.monotonic() < store.unavailable_until:
        raise StoreUnavailable(retry_after=1) from TimeoutError("a call timed out a moment ago")
    try:
        yield
    except TimeoutError as error:
        store.unavailable_until = time.monotonic() + COOLDOWN
        raise StoreUnavailable(retry_after=1) from error
    except RedisError as error:
        mapped = map_error(error)
        if mapped is error:
            raise
        raise mapped from error


def map_error(error: RedisError) -> Exception:
    """Return the error of Parley for an error of Redis; a programming error itself."""
    if isinstance(error, OutOfMemoryError):
        full = StoreFull(retry_after=5)
        full.__cause__ = error
        return full
    return error if is_programming_error(error) else unavailable(error)


def unavailable(error: RedisError) -> StoreUnavailable:
    """Return the error of Parley for a server that cannot serve a valid call for now."""
    reason = disk_problem(error)
    message = f"Storage cannot write to its disk: {reason}." if reason else ""
    result = StoreUnavailable(message, retry_after=1)
    result.__cause__ = error  # for results that are not raised
    return result


def disk_problem(error: RedisError) -> str:
    """Return why the server cannot write to its disk, or "" if the error has another cause."""
    if not str(error).startswith(DISK_PREFIX):
        return ""
    if found := AOF_ERROR.search(str(error)):
        return "the disk is full" if found[1] == NO_SPACE else found[1]
    return "the last snapshot failed"


def is_programming_error(error: RedisError) -> bool:
    """Return whether the call was invalid, so that repeating it does not help."""
    if not isinstance(error, ResponseError) or isinstance(error, UNAVAILABLE_ERRORS):
        return False
    return not str(error).startswith(UNAVAILABLE_PREFIXES)


def ping() -> None:
    """Check that Redis answers.

    Raises:
        StoreUnavailable: it does not answer within `STORE_TIMEOUT`.
    """
    with map_redis_errors():
        client().ping()
