"""Kombu's transports: Redis's, changed to read URLs as the store does, and options of AMQP's.

Kombu alone ignores or rejects most options of a URL's query, and reads a Unix socket's password and
database in another way than redis-py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from queue import Empty
from time import monotonic, sleep
from typing import Any

import orjson
from kombu.transport import redis as kombu_redis

from chat.broker.amqp_url import is_amqp_url
from chat.broker.message import QUEUE
from chat.domain.errors import ConfigError
from chat.redis_url import Kind, RedisURL, is_redis_url, parse_redis_url

# Only chat.store imports redis: kombu has it, too.
redis: Any = kombu_redis.redis  # type: ignore[attr-defined]
sentinel: Any = kombu_redis.sentinel  # type: ignore[attr-defined]

CONNECTION_CLASSES = {
    Kind.TCP: redis.Connection,
    Kind.TLS: redis.SSLConnection,
    Kind.UNIX: redis.UnixDomainSocketConnection,
    Kind.SENTINEL: sentinel.SentinelManagedConnection,
}
# Messages that a worker receives in one round trip, so that another one gets some, too.
MAX_MESSAGES = 16
# Seconds between receiving few messages and requesting more. The event loop, another thread, calls
# the models for them: otherwise it waits until this thread releases the interpreter.
PAUSE = 0.003
# Arguments that connections over a Unix socket do not have.
TCP_ONLY = ("socket_keepalive", "socket_keepalive_options")

NO_CLUSTER = (
    "a Redis Cluster cannot be the broker: set it to another Redis, a Sentinel or RabbitMQ"
    " (docs/scaling.md)"
)


def transport_path(url: str) -> str:
    """Return the path of the transport for a URL of Redis, as Celery's `broker_transport`."""
    name = "SentinelTransport" if parse_redis_url(url).kind is Kind.SENTINEL else "RedisTransport"
    return f"{__name__}:{name}"


def kombu_url(url: str) -> str:
    """Return the URL in the form that kombu reads like Parley.

    Kombu splits URLs at semicolons. The options of AMQP's have become settings of Celery.
    """
    if is_amqp_url(url):
        url = url.partition("?")[0]
    is_ours = is_amqp_url(url) or is_redis_url(url)
    return url.replace(";", "%3B") if is_ours else url


class _URLMixin:
    """Takes the arguments of connections from the URL. Kombu's own timeouts take precedence."""

    connection: Any

    @cached_property
    def url(self) -> RedisURL:
        return parse_redis_url(self.connection.client.hostname)

    @property
    def connection_class(self) -> type:
        found: type = CONNECTION_CLASSES[self.url.kind]
        return found

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        if self.url.kind is Kind.UNIX:
            params = {name: value for name, value in params.items() if name not in TCP_ONLY}
        missing = {
            name: value for name, value in self.url.options.items() if params.get(name) is None
        }
        is_sentinel = self.url.kind is Kind.SENTINEL
        address = self.url.login_kwargs if is_sentinel else self.url.connection_kwargs
        address = {name: value for name, value in address.items() if name not in self.url.options}
        return {**params, **missing, **address}


class _BatchMixin:
    """Receives many messages in one round trip. Kombu's BRPOP returns one.

    That took 40 % of the CPU of a loaded worker (docs/adr/0007-celery-settings.md).
    """

    # See `limit_batches`.
    free_slots: Callable[[], int]
    active_queues: Any
    brpop_timeout: float

    client: Any
    connection: Any
    connection_errors: tuple[type[Exception], ...]
    _queue_cycle: Any
    _in_poll: Any

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Request messages, as soon as there are any. `_in_poll` is the connection until then."""
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self._max_messages = count = max(1, min(MAX_MESSAGES, self.free_slots()))
        timeout = self.brpop_timeout if timeout is None else timeout
        self._in_poll.send_command("BLMPOP", timeout, len(queues), *queues, "RIGHT", "COUNT", count)

    def _brpop_read(self, **options: Any) -> bool:
        """Pass the messages on.

        Raises:
            Empty: none came in time.
        """
        connection, self._in_poll = self.client.connection, None
        try:
            reply = self.client.parse_response(connection, "BLMPOP", **options)
        except self.connection_errors:
            connection.disconnect()
            raise
        if not reply:
            raise Empty
        queue, messages = reply[0].decode(), reply[1]
        self._queue_cycle.rotate(queue)
        for message in messages:
            self.connection._deliver(orjson.loads(message), queue)  # noqa: SLF001
        if len(messages) < self._max_messages:
            sleep(PAUSE)
        return True


def limit_batches(free_slots: Callable[[], int]) -> None:
    """Limit the messages that this process receives in one round trip.

    free_slots: returns how many it can handle now.
    """
    _BatchMixin.free_slots = staticmethod(free_slots)


class RedisChannel(_BatchMixin, _URLMixin, kombu_redis.Channel):  # type: ignore[misc]
    """A channel with a persistent connection for serialized messages.

    Kombu creates a Redis client for each message, which takes 80 % of the time of a publish. The
    client gets a connection from a pool, which takes a third of the rest (measured).
    """

    connection_errors: tuple[type[Exception], ...]

    def push(self, *messages: str) -> None:
        """Add messages to the queue."""
        try:
            self._push(messages)
        except self.connection_errors:  # the broker may have restarted since the last message
            self._push(messages)

    def _push(self, messages: Sequence[str]) -> None:
        self._connection.send_command("LPUSH", QUEUE, *messages)
        self._connection.read_response()

    @cached_property
    def _connection(self) -> Any:
        return self.pool.make_connection()


class SentinelChannel(_BatchMixin, _URLMixin, kombu_redis.SentinelChannel):  # type: ignore[misc]
    """A channel to the primary that the URL's Sentinels know."""

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002
        params = self._connparams(asynchronous)
        manager = sentinel.Sentinel(
            self.url.hosts, sentinel_kwargs=getattr(self, "sentinel_kwargs", None), **params
        )
        # Kombu closes the connections of both managers.
        name = "_async_sentinel_manager" if asynchronous else "_sentinel_manager"
        setattr(self, name, manager)
        return manager.master_for(self.url.service, redis.Redis).connection_pool


class _SafeURI:
    # Kombu leaves URLs to the transport then.
    can_parse_url = True

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:  # noqa: ARG002, FBT001, FBT002
        """Return the URL for logs, without credentials and options."""
        url = parse_redis_url(uri)
        hosts = ",".join(f"{host}:{port}" for host, port in url.hosts)
        return f"{url.kind}://{hosts}{url.path}/{url.db}"


def reject_cluster_node(channel: Any) -> None:
    """Check that the server of one of the channels above is not a node of a Cluster.

    Raises:
        ConfigError: it is one. It would accept some keys only.
    """
    try:
        info = channel.client.info("cluster")
    except redis.exceptions.NoPermissionError:
        return
    if info.get("cluster_enabled"):
        raise ConfigError(f"BROKER_URL: {NO_CLUSTER}")


class RedisTransport(_SafeURI, kombu_redis.Transport):
    Channel = RedisChannel


class SentinelTransport(_SafeURI, kombu_redis.Transport):
    Channel = SentinelChannel
    default_port = 26379


def amqp_options(*, timeout: float) -> dict[str, Any]:
    """Return the options of an AMQP connection whose calls take at most `timeout` seconds.

    py-amqp alone waits forever for a broker that accepts connections but does not respond. Other
    transports ignore these options.
    """
    return {
        "on_open": _SetTimeout(timeout),
        # Without it, a message that the broker does not take is lost without an error.
        "confirm_publish": True,
    }


@dataclass(frozen=True, slots=True)
class _SetTimeout:
    seconds: float

    def __call__(self, connection: Any) -> None:
        connection.sock.settimeout(self.seconds)

    def __json__(self) -> str:
        """Return what `celery inspect stats` shows."""
        return f"set timeout {self.seconds:g} s"
