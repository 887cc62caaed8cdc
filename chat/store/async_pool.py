"""Connections of redis.asyncio to the servers that `REDIS_URL` names."""

from typing import Any

from django.conf import settings
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


def make_pool(node: Node, *, connect_timeout: float) -> Any:
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
    url = parse_redis_url(settings.REDIS_URL)
    if url.kind is not Kind.SENTINEL:
        kwargs = {**url.kwargs_for(node), **options}
        return ConnectionPool(CONNECTION_CLASSES[url.kind], **kwargs)
    sentinel_options = {
        "socket_timeout": connect_timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),  # redis-py's default waits four seconds for a dead Sentinel
    }
    sentinel = Sentinel(url.hosts, sentinel_kwargs=sentinel_options)  # type: ignore[no-untyped-call]
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]
        url.service, sentinel, **{**url.login_kwargs, **options}
    )
