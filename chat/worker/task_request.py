"""What a worker does with one message of the queue: a wake-up, or a probe of doctor."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import Celery, Task
from celery.worker.state import active_requests, reserved_requests
from kombu.transport import virtual

from chat.worker.active_turns import active_turns

logger = logging.getLogger(__name__)

# Celery counts these to decide whether a thread is free.
REQUEST_SETS = (reserved_requests, active_requests)


class TaskRequest:
    """One message, from its arrival until its thread has run the task.

    acknowledge: makes Celery's event loop acknowledge the message, which may fail.
    """

    def __init__(
        self, task: Task[..., None], message: Any, acknowledge: Callable[[], object]
    ) -> None:
        self.task = task
        self._message = message
        self._acknowledge = acknowledge
        # When Celery loses the broker, it drops its requests by id, also one whose thread ends at
        # that moment. It never stores anything under an empty id.
        self.id = ""

    def execute(self) -> None:
        """Run the task; when this returns, Celery has a free thread.

        On Redis, Celery receives only as many messages as it has free threads, and kombu's
        acknowledgement only updates a set. RabbitMQ instead limits the unacknowledged messages of
        a worker. There a message is acknowledged after its task, which requests the next one.
        """
        is_redis = type(getattr(self._message.channel, "qos", None)) is virtual.QoS
        try:
            with self:
                if is_redis:
                    self._message.ack()
                _, arguments, _ = self._message.payload
                self.task.run(**arguments)
        finally:
            if not is_redis:
                self._acknowledge()

    def cancel(self, *_: object, **__: object) -> None:
        """Requeue all turns now. Celery calls this on the second stop signal."""
        active_turns.drain(0)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        for requests in REQUEST_SETS:
            requests.discard(self)
        if error is not None:
            logger.error("A task failed", exc_info=error)


def plain_strategy(task: Task[..., None], _app: Celery, consumer: Any) -> Callable[..., None]:
    """Return Celery's handler of messages for `task`: it passes each one to a thread.

    The default strategy supports revoked and expired tasks, ETAs, results and workflows, and traces
    each run. Wake-ups and probes need none of this, and it took 7 % of the time from a message to
    the model call (docs/adr/0007-celery-settings.md).
    """
    errors = (*consumer.connection_errors, *consumer.channel_errors)

    def acknowledge(message: Any) -> None:
        try:
            message.ack()
        except errors as error:
            # RabbitMQ sends the message again, which does no harm.
            logger.info("Could not acknowledge a message: %s", error)

    def receive(message: Any, *_: Any) -> None:
        message.decode()  # not in the thread: here Celery rejects a message of a forbidden type
        request = TaskRequest(task, message, partial(consumer.call_soon, acknowledge, message))
        for requests in REQUEST_SETS:
            requests.add(request)
        consumer.pool.apply_async(request.execute, callback=_ignore_result)

    return receive


def _ignore_result(_: None) -> None:
    """The pool requires a callback."""
