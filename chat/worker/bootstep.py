"""What a Celery worker does for Parley beside its tasks: flush, sweep, drain."""

import logging
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

from celery import Celery, Task, bootsteps
from celery.concurrency.base import BasePool
from celery.concurrency.thread import TaskPool
from celery.worker.consumer import Consumer
from celery.worker.state import active_requests, reserved_requests
from kombu.transport import virtual

from chat.domain.errors import ConfigError, StoreUnavailable
from chat.operations import health
from chat.settings import chat_settings
from chat.startup import exit_on_config_error
from chat.webhooks.delivery_pool import delivery_pool
from chat.worker import sweeper, turn_runner
from chat.worker.active_turns import active_turns
from chat.worker.flusher import Flusher
from chat.worker.limiter import model_limiter

logger = logging.getLogger(__name__)


LOOK_AGAIN = 0.05
"""Seconds after which a worker whose threads were all busy looks for wake-ups again.

Without prefetching Celery asks the broker only when its event loop turns, and a task that ends in
a thread does not turn it: measured, a full worker stood still for up to five seconds.
"""
COUNTED = (reserved_requests, active_requests)
"""What Celery counts to learn whether there is a thread free."""
DELIVERIES = 2.0
"""Seconds that a stopping worker leaves to deliveries that are on their way to a webhook."""


def _look_again() -> None:
    """Turn the event loop, which is all that it takes."""


def _refuse(pool: BasePool) -> None:
    # Of these exits Celery shows no traceback, and its command takes over the code.
    with exit_on_config_error():
        if not isinstance(pool, TaskPool):
            raise ConfigError("--pool: must be threads, which is the default")
        try:
            if health.evicts_keys():
                raise ConfigError("REDIS_URL: maxmemory-policy must be noeviction")
        except StoreUnavailable as error:
            logger.warning("Redis could not be asked for its policy: %s", error.__cause__)


class WakeUp:
    """A wake-up that Celery has received, until the thread that takes it is done with it.

    task: what it asks for; acknowledge: has Celery's event loop tell the broker that it is spent.
    """

    def __init__(
        self, task: Task[..., None], message: Any, acknowledge: Callable[[], object]
    ) -> None:
        self.task = task
        self._message = message
        self._acknowledge = acknowledge
        self.id = ""
        """For Celery, which forgets requests by their ids when it has lost the broker, and comes
        upon a wake-up that ends in its thread just then; it has kept none under this one."""

    def carry_out(self) -> None:
        """Run the task; Celery has a thread free for another one when this returns."""
        with self:
            self._count_as_spent()
            _, arguments, _ = self._message.payload
            self.task.run(**arguments)

    def cancel(self, *_: object, **__: object) -> None:
        """Hand the turns back now: Celery asks for it when it is told to end a second time."""
        active_turns.drain(0)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        for each in COUNTED:
            each.discard(self)
        if error is not None:
            logger.error("A wake-up has failed", exc_info=error)

    def _count_as_spent(self) -> None:
        """Acknowledge it here if that is but a note in a set, as kombu has it for some brokers.

        Else Celery's event loop does it, which costs the loop a turn just when this thread needs
        the interpreter.
        """
        if type(self._message.channel.qos) is virtual.QoS:
            self._message.ack()
        else:
            self._acknowledge()


def strategy(task: Task[..., None], _app: Celery, consumer: Any) -> Callable[..., None]:
    """Return how Celery deals with a message that asks for the task: a thread gets it as it is.

    Celery's own strategy makes a request of each message, which may be revoked or expired, be due
    later, have a result and a place in a workflow, and traces the task's run. A wake-up needs none
    of that, and it took 7 % of a message's way to the model (docs/adr/0007-celery-settings.md).
    """

    def receive(message: Any, _payload: Any, acknowledge: Callable[..., Any], *_: Any) -> None:
        message.decode()  # here, not in the thread: Celery rejects what must not be read
        wake_up = WakeUp(task, message, partial(acknowledge, logger, consumer.connection_errors))
        for each in COUNTED:
            each.add(wake_up)
        consumer.pool.apply_async(wake_up.carry_out, callback=_done)

    return receive


class Reader(Consumer):
    """Celery's own reader of the queue, but no message that it takes up ends the worker.

    Of what it does not know or may not open, Celery tells the body's length, and it looks its task
    up by a name: where there is neither, it would end, put the message back, and the next worker
    take it.
    """

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return what takes a message."""
        take, reader = super().create_task_handler(*args, **kwargs), cast("Any", self)

        def received(message: Any) -> None:
            try:
                take(message)
            except (AttributeError, TypeError) as error:
                logger.error("A message cannot be read: %s", error)
                message.reject_log_error(logger, reader.connection_errors)

        return received


def _done(_: None) -> None:
    """Take what a pool has to be told to give: the task's result."""


class VitalThread(Thread):
    """A thread without which the worker must not live on.

    Should it end by an error, the worker is told to stop; a supervisor starts another one.
    """

    def run(self) -> None:
        """Run the target; ask for the worker's warm shutdown if it does not return by itself."""
        returned = False
        try:
            super().run()
            returned = True
        finally:
            if not returned:
                logger.critical("The %s has died; the worker stops.", self.name)
                os.kill(os.getpid(), signal.SIGTERM)


class Pulse(bootsteps.StartStopStep):
    """Runs with the worker: its flusher, and a sweep every `SWEEP` seconds.

    The sweep has a thread of its own instead of the worker's timer, which stands still for as long
    as the broker cannot be reached, and a sweep must go on just then.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = Event()
        self._flusher = Flusher(active_turns)
        self._threads = [
            VitalThread(target=self._flusher.run, name="flusher", daemon=True),
            VitalThread(target=self._sweep, name="sweeper", daemon=True),
        ]

    def start(self, worker: Any) -> None:
        """Begin to flush and to sweep.

        Raises:
            SystemExit: the pool is none of threads, or the store would throw messages away.
        """
        _refuse(worker.pool)
        worker.timer.call_repeatedly(LOOK_AGAIN, _look_again)
        for thread in self._threads:
            thread.start()

    def close(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Claim no more turns."""
        active_turns.is_draining = True

    def stop(self, worker: Any) -> None:  # noqa: ARG002
        """Let turns end for `DRAIN` seconds, hand the others back, and stop the threads."""
        active_turns.drain(chat_settings.DRAIN_TIMEOUT)
        delivery_pool.drain(DELIVERIES)
        self._stopping.set()
        self._flusher.stop()
        for thread in self._threads:
            thread.join()
        with suppress(StoreUnavailable):  # it is forgotten in time
            health.unregister(turn_runner.WORKER_ID)

    def terminate(self, worker: Any) -> None:
        """Stop as ever: the supervisor's patience is the bound."""
        self.stop(worker)

    def _sweep(self) -> None:
        while not self._stopping.wait(chat_settings.SWEEP_INTERVAL * random.uniform(0.8, 1.2)):  # noqa: S311
            try:
                sweeper.sweep()
                delivery_pool.poll()
                model_limiter.refresh()
                health.heartbeat(turn_runner.WORKER_ID, running=len(active_turns.all()))
                if chat_settings.HEARTBEAT_FILE:
                    Path(chat_settings.HEARTBEAT_FILE).touch()
            except StoreUnavailable as error:
                logger.warning("The sweep has to wait: %s", error.__cause__)
