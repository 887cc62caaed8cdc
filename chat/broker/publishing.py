"""Publish wake-ups over pooled connections with short timeouts."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from typing import Any

from celery import current_app
from django.conf import settings
from kombu import Connection, Producer
from kombu.exceptions import ChannelError, LimitExceeded, OperationalError

from chat.broker.message import QUEUE, publish, serialize_message
from chat.broker.transport import RedisChannel
from chat.domain.errors import BrokerUnavailable, ConfigError
from chat.domain.ids import random_id
from chat.redis_url import is_redis_url, parse_redis_url
from chat.settings import chat_settings

logger = logging.getLogger(__name__)

# The number of threads of a process that can publish at the same time.
MAX_CONNECTIONS = 32
# Seconds between attempts while the broker is unreachable, so that requests stay fast.
RETRY_AFTER_FAILURE = 1.0


def check_url() -> None:
    """Check `BROKER_URL` without connecting.

    Raises:
        ConfigError: it is not a URL, its transport is unknown, or the transport's package missing.
    """
    transport, separator, _ = settings.BROKER_URL.partition("://")
    if not separator:
        raise ConfigError("BROKER_URL: not a URL")
    try:
        if is_redis_url(settings.BROKER_URL):
            parse_redis_url(settings.BROKER_URL)
        else:
            Connection(settings.BROKER_URL).get_transport_cls()
    except ConfigError as error:
        raise ConfigError(f"BROKER_URL: {error.message}") from error
    except (LookupError, ImportError, ValueError) as error:
        # Without the text of `error`, which may quote the password.
        raise ConfigError(
            f"BROKER_URL: not a valid {transport}:// URL, or its package is not installed"
        ) from error


def wake_session(session_id: str) -> bool:
    """Publish a wake-up for the session; return whether the broker accepted it.

    Takes at most two attempts of `CHAT_PUBLISH_TIMEOUT` each. After a failure, calls fail at once
    for `RETRY_AFTER_FAILURE` seconds.
    """
    try:
        with _pool().channel() as channel:
            _publish(channel, session_id)
    except BrokerUnavailable:
        return False
    return True


def queue_length() -> int | None:
    """Return the number of queued wake-ups, or `None` if the broker is unreachable."""
    try:
        with _pool().channel() as channel:
            return _message_count(channel)
    except BrokerUnavailable:
        return None


def _message_count(channel: Any) -> int:
    """Return the length of the queue. Redis reports an empty queue as not found."""
    try:
        return int(channel.queue_declare(QUEUE, passive=True).message_count)
    except ChannelError as error:
        if error.reply_code and int(error.reply_code) == HTTPStatus.NOT_FOUND:
            return 0
        raise


def _publish(channel: Any, session_id: str) -> None:
    task_id = f"{session_id}-{random_id()}"
    if isinstance(channel, RedisChannel):
        channel.push(serialize_message(session_id, task_id))
    else:
        publish(Producer(channel), session_id, task_id)


class _BrokerPool:
    """Connections to the broker."""

    def __init__(self, connection: Connection) -> None:
        self._connections = connection.Pool(MAX_CONNECTIONS)
        self._errors: tuple[type[BaseException], ...] = (
            *connection.connection_errors,
            *connection.channel_errors,
            OperationalError,
            LimitExceeded,
            # Kombu rejects some URLs only when it connects.
            ValueError,
            ConfigError,
        )
        self._unavailable_until = 0.0

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Yield a channel of a pooled connection.

        Raises:
            BrokerUnavailable: the broker is unreachable, or was so a moment ago.
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
            logger.warning("The broker is unreachable; turns wait for the sweeper: %s", error)
            raise BrokerUnavailable from error


@cache
def _pool() -> _BrokerPool:
    bounds = {
        "socket_timeout": chat_settings.PUBLISH_TIMEOUT,
        "socket_connect_timeout": chat_settings.PUBLISH_TIMEOUT,
        # Kombu would wait two seconds before a second attempt, however short the timeouts.
        "max_retries": 0,
    }
    connection = Connection(
        current_app.conf.broker_url,
        transport=current_app.conf.broker_transport,
        connect_timeout=chat_settings.PUBLISH_TIMEOUT,
        transport_options={**current_app.conf.broker_transport_options, **bounds},
    )
    return _BrokerPool(connection)
