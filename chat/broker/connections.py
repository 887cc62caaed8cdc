"""Pooled connections to the broker, with short timeouts."""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from celery import current_app
from kombu import Connection
from kombu.exceptions import ChannelError, LimitExceeded, OperationalError

from chat.broker.transport import amqp_options
from chat.domain.errors import BrokerUnavailable, ConfigError
from chat.settings import chat_settings

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Per process: the number of threads that can publish at the same time.
MAX_CONNECTIONS = 32
# Seconds between attempts while the broker is unreachable, so that requests stay fast.
RETRY_AFTER_FAILURE = 1.0
# The log line about an error.
UNREACHABLE = "The broker is unreachable; turns wait for the sweeper: %s"


def call_broker(use: Callable[[Any], T]) -> T:
    """Return what `use` returns for a channel of a pooled connection.

    Takes at most two attempts of `CHAT_PUBLISH_TIMEOUT` each. After a failure, calls fail at once
    for `RETRY_AFTER_FAILURE` seconds.

    Raises:
        BrokerUnavailable: the broker is unreachable, or was so a moment ago, or it rejects the call
            with the `ChannelError` that is the cause.
    """
    return broker_pool().call(use)


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

    def call(self, use: Callable[[Any], T]) -> T:
        """See `call_broker`."""
        if time.monotonic() < self._unavailable_until:
            raise BrokerUnavailable
        try:
            with self._connections.acquire(
                block=True, timeout=chat_settings.PUBLISH_TIMEOUT
            ) as connection:
                return self._call(connection, use)
        except self._errors as error:
            if not isinstance(error, ChannelError):
                self._unavailable_until = time.monotonic() + RETRY_AFTER_FAILURE
                logger.warning(UNREACHABLE, error)
            raise BrokerUnavailable from error

    def _call(self, connection: Connection, use: Callable[[Any], T]) -> T:
        """Call again on a new connection if RabbitMQ has restarted since the last call.

        Redis's channels recover by themselves. AMQP closes a channel on its first error.
        """
        was_connected = connection.connected
        try:
            return use(connection.default_channel)
        except self._errors as error:
            if connection.transport.driver_type != "amqp":
                raise
            connection.collect(socket_timeout=chat_settings.PUBLISH_TIMEOUT)
            if not was_connected or isinstance(error, ChannelError):
                raise
        return use(connection.default_channel)


@cache
def broker_pool() -> _BrokerPool:
    timeout = chat_settings.PUBLISH_TIMEOUT
    bounds = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        # Kombu would wait two seconds before a second attempt, however short the timeouts.
        "max_retries": 0,
        **amqp_options(timeout=timeout),
    }
    connection = Connection(
        current_app.conf.broker_write_url,
        transport=current_app.conf.broker_transport,
        connect_timeout=timeout,
        login_method=current_app.conf.broker_login_method,
        ssl=current_app.conf.broker_use_ssl,
        transport_options={**current_app.conf.broker_transport_options, **bounds},
    )
    return _BrokerPool(connection)
