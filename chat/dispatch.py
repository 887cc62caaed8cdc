"""Telling a worker, through the broker, that a session wants one.

A wake-up is best effort and bounded in time: Redis's `due` set is the truth, and a sweep makes up
for one that is lost. Tasks are published by name, so nothing here imports them.
"""

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
from kombu.pools import ProducerPool
from kombu.transport import redis as redis_transport
from kombu.utils.json import dumps

from chat.conf import knobs
from chat.errors import BrokerUnavailable, ConfigError
from chat.ids import unique
from chat.sentinels import watched

logger = logging.getLogger(__name__)

QUEUE = "chat"
TAKE_TURN = "chat.take_turn"
PUBLISHERS = 32
"""Most threads of a process that publish at the same moment."""
SILENCE = 1.0
"""Seconds without another try after the broker could not be reached, so that requests stay fast."""


def check() -> None:
    """Look up the transport of the broker's URL; nothing is connected yet.

    Raises:
        ConfigError: the URL is none, or there is no such transport, or its package is missing.
    """
    transport, separator, _ = settings.BROKER_URL.partition("://")
    if not separator:
        raise ConfigError("BROKER_URL: it is not a URL")
    try:
        if watched(settings.BROKER_URL):
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


def wake(session_id: str) -> bool:
    """Ask for a worker for the session; return whether the broker took the wish.

    Takes `PUBLISH_TIMEOUT` at most for each of two tries, and nothing for a second after a failure.
    """
    try:
        with _broker().producer() as producer:
            _publish(producer, session_id)
    except BrokerUnavailable:
        return False
    return True


def depth() -> int | None:
    """Return how many wake-ups the broker holds, or `None` when it cannot be asked."""
    try:
        with _broker().producer() as producer:
            return _message_count(producer.channel)
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


def _publish(producer: Producer, session_id: str) -> None:
    """Publish straight to the queue: the nameless exchange spares a look-up of bindings."""
    template = _template()
    task_id = f"{session_id}-{unique()}"
    producer.publish(
        [[], {"session_id": session_id}, template.body[2]],
        exchange="",
        routing_key=QUEUE,
        serializer="json",
        headers={**template.headers, "id": task_id, "root_id": task_id},
        correlation_id=task_id,
        retry=False,
    )


@cache
def _template() -> Any:
    """Return Celery's own form of the task's message, made once, by the installed version."""
    return current_app.amqp.as_task_v2("", TAKE_TURN, kwargs={}, ignore_result=True)


class _Channel(redis_transport.Channel):
    """Kombu's channel, but it publishes over a connection that it keeps.

    Kombu makes a new client of Redis for each message, which took four fifths of a publish, and
    the client asks a pool for a connection, which took a third of the rest (measured).
    """

    connection_errors: tuple[type[Exception], ...]

    def _put(self, queue: str, message: Any, **_: object) -> None:
        command = ("LPUSH", queue, dumps(message))
        try:
            self._ask(command)
        except self.connection_errors:  # the broker may have been another one since
            self._ask(command)

    def _ask(self, command: tuple[str, ...]) -> None:
        self._line.send_command(*command)
        self._line.read_response()

    @cached_property
    def _line(self) -> Any:
        return self.pool.make_connection()

    def _get_client(self) -> Any:
        return cache(super()._get_client())  # type: ignore[misc]  # the stubs leave it out


class _Transport(redis_transport.Transport):
    Channel = _Channel


class _Broker:
    """The way to the broker: pooled producers whose sockets give up early."""

    def __init__(self, connection: Connection) -> None:
        self._producers = ProducerPool(connection.Pool(PUBLISHERS), limit=PUBLISHERS)
        self._errors: tuple[type[BaseException], ...] = (
            *connection.connection_errors,
            *connection.channel_errors,
            OperationalError,
            LimitExceeded,
            # What kombu finds wrong with a URL only when it connects, such as no Sentinel's master.
            ValueError,
        )
        self._closed_until = 0.0

    @contextmanager
    def producer(self) -> Iterator[Producer]:
        """Lend a producer.

        Raises:
            BrokerUnavailable: the broker cannot be reached, or could not be a moment ago.
        """
        if time.monotonic() < self._closed_until:
            raise BrokerUnavailable
        try:
            with self._producers.acquire(block=True, timeout=knobs.PUBLISH_TIMEOUT) as producer:
                yield producer
        except self._errors as error:
            self._closed_until = time.monotonic() + SILENCE
            logger.warning("The broker cannot be reached; sweeps make up for it: %s", error)
            raise BrokerUnavailable from error


@cache
def _broker() -> _Broker:
    bounds = {
        "socket_timeout": knobs.PUBLISH_TIMEOUT,
        "socket_connect_timeout": knobs.PUBLISH_TIMEOUT,
        # One try: kombu would wait for two seconds before the next, however short the timeouts.
        "max_retries": 0,
    }
    connection = Connection(
        current_app.conf.broker_url,
        transport=_Transport if settings.BROKER_URL.startswith("redis") else None,
        connect_timeout=knobs.PUBLISH_TIMEOUT,
        transport_options={**current_app.conf.broker_transport_options, **bounds},
    )
    return _Broker(connection)
