"""What runs in a worker: a message of the queue, or a turn that the worker itself has found due."""

import logging
import os
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from celery import Celery, Task
from celery.worker.state import active_requests, reserved_requests, total_count
from kombu.transport import virtual

logger = logging.getLogger(__name__)

# Celery counts these to decide whether to receive messages, and lists them in `inspect`. Only its
# main thread changes them.
REQUEST_SETS = (reserved_requests, active_requests)


class Request:
    """Work on the pool's event loop, as Celery sees it."""

    def __init__(self, task: Task[..., Any], arguments: dict[str, Any], consumer: Any) -> None:
        self.task = task
        self.name = task.name
        # When Celery loses the broker, it drops its requests by id, also one that ends at that
        # moment. It never stores anything under an empty id.
        self.id = ""
        self._arguments = arguments
        self._consumer = consumer
        self._started_at: float | None = None

    def register(self) -> None:
        """Count the request, on Celery's main thread."""
        for requests in REQUEST_SETS:
            requests.add(self)
        total_count[self.name] += 1

    async def run(self) -> None:
        """Run the task, on the pool's event loop."""
        self._started_at = time.time()
        await self.task.run(**self._arguments)

    def end(self) -> None:
        """Free the request's place, on Celery's main thread."""
        for requests in REQUEST_SETS:
            requests.discard(self)

    def cancel(self, *_: object, **__: object) -> None:
        """Requeue all turns now. Celery calls this on the second stop signal."""
        self._consumer.pool.drain(0)

    def info(self, *, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002  # Celery's signature
        """Return what `celery inspect active` shows: ids, but no content."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.name,
            "args": [],
            "kwargs": self._arguments,
            "hostname": self._consumer.hostname,
            "time_start": self._started_at,
            "acknowledged": True,
            "delivery_info": {},
            "worker_pid": os.getpid(),
        }


class TaskRequest(Request):
    """One message, from its arrival until its task has ended."""

    def __init__(self, task: Task[..., Any], message: Any, consumer: Any) -> None:
        super().__init__(task, {}, consumer)
        self._message = message
        # Redis's acknowledgements only update a set in memory.
        self.is_redis = type(getattr(message.channel, "qos", None)) is virtual.QoS

    def register(self) -> None:
        """Count the request, and acknowledge a message from Redis.

        From Redis, Celery receives only as many messages as requests may run. RabbitMQ instead
        limits the unacknowledged messages of a worker. There a message is acknowledged after its
        task, which requests the next one.
        """
        if self.is_redis:
            self._message.ack()
        super().register()

    async def run(self) -> None:
        """Run the task, and report its end."""
        try:
            _, self._arguments, _ = self._message.payload
            await super().run()
        finally:
            request_log.report(self, is_running=False, is_urgent=not self.is_redis)

    def end(self) -> None:
        super().end()
        if self.is_redis:
            return
        errors = (*self._consumer.connection_errors, *self._consumer.channel_errors)
        try:
            self._message.ack()
        except errors as error:
            # RabbitMQ sends the message again, which does no harm.
            logger.info("Could not acknowledge a message: %s", error)


class RequestLog:
    """What the event loop reports to Celery's main thread: requests that have started or ended.

    The main thread reads it when it runs anyway, and at once if it waits for a free slot: waking it
    for each turn takes a tenth of a turn's time. While it waits for a broker that is down, turns
    that start and end leave nothing behind.
    """

    def __init__(self) -> None:
        self._consumer: Any = None
        self._lock = Lock()
        # Requests that the main thread must register (true) or end.
        self._changes: dict[Request, bool] = {}
        self._is_scheduled = False

    def use_consumer(self, consumer: Any) -> None:
        self._consumer = consumer

    def report(self, request: Request, *, is_running: bool, is_urgent: bool = False) -> None:
        """Report a request, on the event loop.

        is_urgent: even if Celery does not wait for a free slot.
        """
        is_full = len(reserved_requests) >= self._consumer.pool.num_processes
        with self._lock:
            if self._changes.pop(request, None) is None:
                self._changes[request] = is_running
            is_needed = (is_full or is_urgent) and not self._is_scheduled
            self._is_scheduled = self._is_scheduled or is_needed
        if is_needed:
            self._consumer.call_soon(self.apply)

    def apply(self) -> None:
        """Register and end what was reported, on Celery's main thread."""
        if not self._changes:
            return
        with self._lock:
            changes, self._changes = self._changes, {}
            self._is_scheduled = False
        for request, is_running in changes.items():
            (request.register if is_running else request.end)()

    async def run_own(self, task: Task[..., Any], **arguments: Any) -> None:
        """Run a task without a message."""
        request = Request(task, arguments, self._consumer)
        self.report(request, is_running=True)
        try:
            await request.run()
        finally:
            self.report(request, is_running=False)


# The log of this process.
request_log = RequestLog()


def minimal_strategy(task: Task[..., Any], _app: Celery, consumer: Any) -> Callable[..., None]:
    """Return Celery's handler of messages for `task`: it passes each one to the event loop.

    The default strategy supports revoked and expired tasks, ETAs, results and workflows, and traces
    each run. Wake-ups and pings need none of this, and it took 7 % of the time from a message to
    the model call (docs/adr/0007-celery-settings.md).
    """

    def receive(message: Any, *_: Any) -> None:
        message.decode()  # not on the event loop: here Celery rejects a message of a forbidden type
        request_log.apply()
        request = TaskRequest(task, message, consumer)
        request.register()
        consumer.pool.submit(request.run)

    return receive
