"""The Redis client of a process, and the mapping of its errors."""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from redis.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.sentinel import Sentinel, SentinelConnectionPool

from chat.domain.errors import ConfigError, StoreFull, StoreUnavailable
from chat.redis_url import Kind, RedisURL, parse_redis_url
from chat.settings import chat_settings
from chat.store import routing
from chat.store.connection import NO_RETRY, Connections
from chat.store.routing import MAX_TRIES, Arg, Command, Exchange, Request
from chat.store.topology import SERVER, Node, Topology

T = TypeVar("T")

# Errors of a server that cannot serve a valid call for now.
UNAVAILABLE_ERRORS = (
    AskError,  # also MOVED: a slot that moves too often
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
    Kind.CLUSTER: Connection,
    Kind.TLS_CLUSTER: SSLConnection,
}


class StoreClient:
    """The connections of a process to Redis; threads share them."""

    def __init__(self, url: RedisURL) -> None:
        nodes = url.hosts if url.is_cluster else [SERVER]
        self.topology = Topology(nodes, is_cluster=url.is_cluster)
        self._connections = Connections(lambda node: _make_pool(url, node))

    def run(self, exchange: Exchange[T]) -> T:
        """Run a generator of `routing` or `scripts`, and return its result."""
        return self._connections.run(exchange)

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._connections.disconnect_idle()


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
    return StoreClient(parse_redis_url(settings.REDIS_URL))


def _make_pool(url: RedisURL, node: Node) -> ConnectionPool:
    timeout = chat_settings.STORE_TIMEOUT / MAX_TRIES
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        # The form of replies that are not scripts' depends on it.
        "protocol": 2,
    }
    if url.kind is not Kind.SENTINEL:
        kwargs = {**options, **url.kwargs_for(node)}
        return ConnectionPool(CONNECTION_CLASSES[url.kind], **kwargs)
    # Sentinels are queried for the primary before each connection to it.
    sentinel_options = {
        "socket_timeout": timeout / 2,
        "socket_connect_timeout": timeout / 2,
        "retry": NO_RETRY,  # redis-py would try a dead Sentinel eleven times, with seconds between
    }
    untyped: Any = Sentinel
    sentinel = untyped(url.hosts, sentinel_kwargs=sentinel_options)
    pool: Any = SentinelConnectionPool
    made: ConnectionPool = pool(url.service, sentinel, **{**options, **url.login_kwargs})
    return made


@contextmanager
def map_redis_errors() -> Iterator[None]:
    """Map errors of Redis to errors of Parley; programming errors pass unchanged.

    Raises:
        StoreFull: Redis has reached `maxmemory`.
        StoreUnavailable: Redis cannot be reached, is loading, is read-only or failed otherwise.
    """
    try:
        yield
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


def execute_command(*command: Arg) -> Any:
    """Execute one command that is not a script; return its reply in the form of RESP2.

    Raises:
        StoreFull, StoreUnavailable: as `map_redis_errors`.
    """
    (reply,) = execute_commands([command])
    return reply


def execute_commands(commands: Sequence[Command]) -> list[Any]:
    """Execute commands that are not scripts, each on the server that has its key; one round trip.

    Raises:
        StoreFull, StoreUnavailable: as `map_redis_errors`, for any of them.
    """
    store = client()
    requests = [Request.from_command(*command) for command in commands]
    with map_redis_errors():
        replies = [reply for (reply,) in store.run(routing.execute(requests, store.topology))]
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
    return replies


def find_masters() -> tuple[Node, ...]:
    """Return the only server, or all nodes of a Cluster that have slots.

    Raises:
        StoreUnavailable: no node knows them.
    """
    store = client()
    with map_redis_errors():
        return store.run(routing.find_masters(store.topology))


def execute_on(node: Node, *commands: Command) -> list[Any]:
    """Execute commands on one server; return the replies, with errors among them.

    Raises:
        ConnectionError, TimeoutError: it did not answer.
    """
    return client().run(routing.execute_on(node, commands))
