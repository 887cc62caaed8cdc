"""Telling a worker, through the broker, that a session wants one.

A wake-up is best effort and bounded in time: Redis's `due` set is the truth, and a sweep makes up
for one that is lost. Tasks are published by name, so nothing here imports them.
"""

import logging
import secrets
import time
from functools import cache
from typing import Any

from celery import current_app
from django.conf import settings
from kombu import Connection, Producer
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool
from kombu.transport import redis as redis_transport

from chat.conf import knobs

logger = logging.getLogger(__name__)

QUEUE = "chat"
TAKE_TURN = "chat.take_turn"
PUBLISHERS = 32
"""Most threads of a process that publish at the same moment."""
SILENCE = 1.0
"""Seconds without another try after the broker could not be reached, so that requests stay fast."""


class _Broker:
    """The way to the broker, and whether it was passable the last time."""

    def __init__(self) -> None:
        self.closed_until = 0.0

    @property
    def is_closed(self) -> bool:
        return time.monotonic() < self.closed_until

    def close(self) -> None:
        self.closed_until = time.monotonic() + SILENCE


broker = _Broker()


def wake(session_id: str) -> bool:
    """Ask for a worker for the session; return whether the broker took the wish.

    Takes `PUBLISH_TIMEOUT` at most, and nothing for a second after a failure.
    """
    if broker.is_closed:
        return False
    try:
        with _producers().acquire(block=True, timeout=knobs.PUBLISH_TIMEOUT) as producer:
            _publish(producer, session_id)
    except (OperationalError, LimitExceeded) as error:
        broker.close()
        logger.warning("The broker took no wake-up: %s", error)
        return False
    return True


def _publish(producer: Producer, session_id: str) -> None:
    """Publish straight to the queue: the nameless exchange spares a look-up of bindings."""
    template = _template()
    task_id = f"{session_id}-{secrets.token_hex(4)}"
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
    """Kombu's channel, but with one client of Redis instead of a new one for each command.

    Making one takes 0.33 ms, four fifths of what a publish took (measured).
    """

    def _get_client(self) -> Any:
        return cache(super()._get_client())  # type: ignore[misc]  # the stubs leave it out


class _Transport(redis_transport.Transport):
    Channel = _Channel


@cache
def _producers() -> ProducerPool:
    """Return the pool of producers, whose sockets give up early."""
    bounds = {
        "socket_timeout": knobs.PUBLISH_TIMEOUT,
        "socket_connect_timeout": knobs.PUBLISH_TIMEOUT,
    }
    connection = Connection(
        settings.BROKER_URL,
        transport=_Transport if settings.BROKER_URL.startswith("redis") else None,
        connect_timeout=knobs.PUBLISH_TIMEOUT,
        transport_options={**current_app.conf.broker_transport_options, **bounds},
    )
    return ProducerPool(connection.Pool(PUBLISHERS), limit=PUBLISHERS)


def depth() -> int | None:
    """Return how many wake-ups the broker holds, or `None` when it cannot be asked."""
    if broker.is_closed:
        return None
    try:
        with _producers().acquire(block=True, timeout=knobs.PUBLISH_TIMEOUT) as producer:
            channel: Any = producer.channel
            return int(channel.queue_declare(QUEUE, passive=True).message_count)
    except (OperationalError, LimitExceeded) as error:
        broker.close()
        logger.warning("The broker cannot be asked: %s", error)
        return None
