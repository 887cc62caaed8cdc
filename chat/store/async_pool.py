"""Connections of redis.asyncio to the servers that a URL names."""

from typing import Any

from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from chat.redis_url import Kind, parse_redis_url
from chat.store.topology import Node

CONNECTION_CLASSES = {
    Kind.TCP: Connection,
    Kind.TLS: SSLConnection,
    Kind.UNIX: UnixDomainSocketConnection,
    Kind.CLUSTER: Connection,
    Kind.TLS_CLUSTER: SSLConnection,
}


def make_pool(url: str, node: Node, *, connect_timeout: float) -> Any:
    """Return a pool that makes connections to a server, without retries; keep it.

    Connections of a Sentinel's pool hold only a weak reference to it.

    The connections have no socket timeout, because redis-py would send within `asyncio.wait_for`.
    On Python 3.11 that can swallow a cancellation. The users of the pool limit the time themselves.
    """
    options: dict[str, Any] = {
        "protocol": 2,  # in RESP3, messages of pub/sub are not lists
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": connect_timeout,
    }
    parsed = parse_redis_url(url)
    if parsed.kind is not Kind.SENTINEL:
        kwargs = {**parsed.kwargs_for(node), **options}
        return ConnectionPool(CONNECTION_CLASSES[parsed.kind], **kwargs)
    sentinel_options = {
        "socket_timeout": connect_timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),  # redis-py's default waits four seconds for a dead Sentinel
    }
    sentinel = Sentinel(parsed.hosts, sentinel_kwargs=sentinel_options)  # type: ignore[no-untyped-call]
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]
        parsed.service, sentinel, **{**parsed.login_kwargs, **options}
    )
