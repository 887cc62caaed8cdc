"""Celery's consumer, changed to survive malformed messages, and to reconnect sooner."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import orjson
from celery.utils import threads
from celery.worker import consumer
from celery.worker.consumer.control import Control
from celery.worker.consumer.tasks import Tasks
from celery.worker.state import maybe_shutdown
from kombu import Connection
from kombu.serialization import register
from kombu.utils import json

from chat.broker.queue import describe_rejection

logger = logging.getLogger(__name__)

CELERY_STEPS = consumer.Consumer.Blueprint.default_steps
# Steps of Celery that need `Tasks`, which `WakeUpConsumerStep` replaces. Parley has no ETAs, for
# which the last one would declare dozens of queues and exchanges.
REPLACED_STEPS = {
    "celery.worker.consumer.tasks:Tasks",
    "celery.worker.consumer.control:Control",
    "celery.worker.consumer.delayed_delivery:DelayedDelivery",
}
# Seconds between attempts while the broker rejects the worker, for example its password.
REJECTED_INTERVAL = 3
# Seconds that a stopping worker waits for each response of RabbitMQ.
STOP_TIMEOUT = 1.0


# Kombu's decoder calls a function for each object, which takes five times as long.
register(
    "json", json.dumps, orjson.loads, content_type="application/json", content_encoding="utf-8"
)


@contextmanager
def pause_after(errors: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Log why the broker rejects the worker, and wait. Celery would retry at once, forever."""
    try:
        yield
    except errors as error:
        logger.error("The broker rejects the worker; will retry: %s", describe_rejection(error))
        time.sleep(REJECTED_INTERVAL)
        raise


class WakeUpConsumerStep(Tasks):
    """Receives wake-ups and pings: at most as many unacknowledged ones as slots."""

    def qos_global(self, c: Any) -> bool:  # noqa: ARG002  # Celery's signature
        """Limit the consumer, not the channel: a quorum queue rejects the latter."""
        return False

    def start(self, c: Any) -> None:
        with pause_after(c.channel_errors):
            super().start(c)

    def stop(self, c: Any) -> None:
        """Stop receiving. Celery calls RabbitMQ four times, and would wait 5 seconds each time."""
        if c.connection and c.connection.transport.driver_type == "amqp":
            cast("Any", threads).bound_open_broker_sockets(c.connection, STOP_TIMEOUT)
        super().stop(c)


class InspectStep(Control):
    """Answers `celery inspect`."""

    requires = (WakeUpConsumerStep,)


class Consumer(consumer.Consumer):
    """Rejects messages that would end Celery's own consumer.

    Celery logs the body length of a message that it cannot handle, and looks up tasks by name. If a
    message has neither, the worker would exit and requeue it for the next worker.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc, valid-type]
        default_steps: ClassVar = [
            *(step for step in CELERY_STEPS if step not in REPLACED_STEPS),
            WakeUpConsumerStep,
            InspectStep,
        ]

    def ensure_connected(self, connection: Connection) -> Connection:
        """Connect, however long that takes. Celery's own interval grows up to 30 seconds."""
        options = cast("Any", self).app.conf.broker_transport_options
        with pause_after((*connection.connection_errors, *connection.channel_errors)):
            return connection.ensure_connection(
                lambda error, interval: logger.error(
                    "Could not connect to the broker; will retry in %g s: %s", interval, error
                ),
                interval_start=options["interval_start"],
                interval_step=options["interval_step"],
                interval_max=options["interval_max"],
                callback=maybe_shutdown,
            )

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        handle, celery_consumer = super().create_task_handler(*args, **kwargs), cast("Any", self)

        def handle_or_reject(message: Any) -> None:
            try:
                handle(message)
            except (AttributeError, TypeError) as error:
                logger.error("Rejected a malformed message: %s", error)
                message.reject_log_error(logger, celery_consumer.connection_errors)

        return handle_or_reject
