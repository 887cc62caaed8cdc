"""Publishing wake-ups: bounded in time, over connections to the broker that are kept."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from http import HTTPStatus
from typing import Any

from celery import current_app
from django.conf import settings
from kombu import Connection, Producer
from kombu.exceptions import ChannelError, LimitExceeded, OperationalError
from kombu.transport import redis as redis_transport

from chat.broker.message import QUEUE, publish, serialize_message
from chat.domain.errors import BrokerUnavailable, ConfigError
from chat.domain.ids import random_id
from chat.redis_url import parse_sentinel_url
from chat.settings import chat_settings

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 32
"""Most threads of a process that publish at the same moment."""
RETRY_AFTER_FAILURE = 1.0
"""Seconds without another try after the broker could not be reached, so that requests stay fast."""


def check_url() -> None:
    """Look up the transport of the broker's URL; nothing is connected yet.

    Raises:
        ConfigError: the URL is none, or there is no such transport, or its package is missing.
    """
    transport, separator, _ = settings.BROKER_URL.partition("://")
    if not separator:
        raise ConfigError("BROKER_URL: it is not a URL")
    try:
        if parse_sentinel_url(settings.BROKER_URL):
            return
        connection = Connection(settings.BROKER_URL)
        connection.get_transport_cls()
        if transport in {"redis", "rediss"}:
            int(connection.virtual_host.strip("/") or 0)
    except ConfigError as error:
        raise ConfigError(f"BROKER_URL: {error.message}") from error
    except (LookupError, ImportError, ValueError) as error:
        # Without what `error` quotes, which may be the password.
        raise ConfigError(
            f"BROKER_URL: no broker is reached by such a {transport}:// URL"
        ) from error


def wake_session(session_id: str) -> bool:
    """Ask for a worker for the session; return whether the broker took the wish.

    Takes `PUBLISH_TIMEOUT` at most for each of two tries, and nothing for a second after a failure.
    """
    try:
        with _pool().channel() as channel:
            _publish(channel, session_id)
    except BrokerUnavailable:
        return False
    return True


def queue_length() -> int | None:
    """Return how many wake-ups the broker holds, or `None` when it cannot be asked."""
    try:
        with _pool().channel() as channel:
            return _message_count(channel)
    except BrokerUnavailable:
        return None


def _message_count(channel: Any) -> int:
    """Return the length of the queue; Redis knows no empty one and says that it is not found."""
    try:
        return int(channel.queue_declare(QUEUE, passive=True).message_count)
    except ChannelError as error:
        if error.reply_code and int(error.reply_code) == HTTPStatus.NOT_FOUND:
            return 0
        raise


def _publish(channel: Any, session_id: str) -> None:
    task_id = f"{session_id}-{random_id()}"
    if isinstance(channel, _Channel):
        channel.push(serialize_message(session_id, task_id))
    else:
        publish(Producer(channel), session_id, task_id)


class _Channel(redis_transport.Channel):
    """Kombu's channel, and a connection that it keeps for sealed messages.

    Kombu makes a new client of Redis for each message, which took four fifths of a publish, and
    the client asks a pool for a connection, which took a third of the rest (measured).
    """

    connection_errors: tuple[type[Exception], ...]

    def push(self, message: str) -> None:
        """Put a message into the queue."""
        try:
            self._push(message)
        except self.connection_errors:  # the broker may have been another one since
            self._push(message)

    def _push(self, message: str) -> None:
        self._connection.send_command("LPUSH", QUEUE, message)
        self._connection.read_response()

    @cached_property
    def _connection(self) -> Any:
        return self.pool.make_connection()


class _Transport(redis_transport.Transport):
    Channel = _Channel


class _BrokerPool:
    """The way to the broker: pooled connections whose sockets give up early."""

    def __init__(self, connection: Connection) -> None:
        self._connections = connection.Pool(MAX_CONNECTIONS)
        self._errors: tuple[type[BaseException], ...] = (
            *connection.connection_errors,
            *connection.channel_errors,
            OperationalError,
            LimitExceeded,
            # What kombu finds wrong with a URL only when it connects, such as no Sentinel's master.
            ValueError,
        )
        self._unavailable_until = 0.0

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Lend a channel.

        Raises:
            BrokerUnavailable: the broker cannot be reached, or could not be a moment ago.
        """
        if time.monotonic() < self._unavailable_until:
            raise BrokerUnavailable
        try:
            with self._connections.acquire(
                block=True, timeout=chat_settings.PUBLISH_TIMEOUT
            ) as connection:
                yield connection.default_channel
        except self._errors as error:
            self._unavailable_until = time.monotonic() + RETRY_AFTER_FAILURE
            logger.warning(
                "The broker cannot be reached; turns wait until sweeps get through: %s", error
            )
            raise BrokerUnavailable from error


@cache
def _pool() -> _BrokerPool:
    bounds = {
        "socket_timeout": chat_settings.PUBLISH_TIMEOUT,
        "socket_connect_timeout": chat_settings.PUBLISH_TIMEOUT,
        # One try: kombu would wait for two seconds before the next, however short the timeouts.
        "max_retries": 0,
    }
    connection = Connection(
        current_app.conf.broker_url,
        transport=_Transport if settings.BROKER_URL.startswith("redis") else None,
        connect_timeout=chat_settings.PUBLISH_TIMEOUT,
        transport_options={**current_app.conf.broker_transport_options, **bounds},
    )
    return _BrokerPool(connection)
