"""What a Celery worker does for Parley beside its tasks: flush, sweep, drain."""

import logging
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from celery import bootsteps
from celery.worker.request import Request
from kombu.transport import virtual

from chat.conf import knobs
from chat.errors import ConfigError, StoreUnavailable
from chat.services import health, inference, recovery
from chat.services.courier import courier
from chat.services.flusher import Flusher
from chat.services.gatekeeper import gatekeeper
from chat.services.running import running
from project.starting import settings_told

logger = logging.getLogger(__name__)


LOOK_AGAIN = 0.05
"""Seconds after which a worker whose threads were all busy looks for wake-ups again.

Without prefetching Celery asks the broker only when its event loop turns, and a task that ends in
a thread does not turn it: measured, a full worker stood still for up to five seconds.
"""


DELIVERIES = 2.0
"""Seconds that a stopping worker leaves to deliveries that are on their way to a webhook."""


def _look_again() -> None:
    """Turn the event loop, which is all that it takes."""


def _refuse_eviction() -> None:
    # Of this exit Celery shows no traceback, and its command takes over the code.
    with settings_told():
        try:
            if health.evicts():
                raise ConfigError("REDIS_URL: maxmemory-policy must be noeviction")
        except StoreUnavailable as error:
            logger.warning("Redis could not be asked for its policy: %s", error.__cause__)


class WakeUp(Request):
    """Celery's request, but the thread that takes it acknowledges it by itself.

    Celery has its event loop do it, which costs the loop a turn just when the thread needs the
    interpreter. The acknowledgement of a broker that gets none is a note in a set, which kombu
    makes for other threads (`QoS._dirty`).
    """

    def acknowledge(self) -> None:
        """Count it as spent."""
        if type(self.message.channel.qos) is virtual.QoS and not self.acknowledged:
            self.message.ack()
            self.acknowledged = True
        super().acknowledge()


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
        self._flusher = Flusher(running)
        self._threads = [
            VitalThread(target=self._flusher.run, name="flusher", daemon=True),
            VitalThread(target=self._sweep, name="sweeper", daemon=True),
        ]

    def start(self, worker: Any) -> None:
        """Begin to flush and to sweep.

        Raises:
            SystemExit: the store would throw accepted messages away, or does not say.
        """
        _refuse_eviction()
        worker.timer.call_repeatedly(LOOK_AGAIN, _look_again)
        for thread in self._threads:
            thread.start()

    def close(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Claim no more turns."""
        running.is_draining = True

    def stop(self, worker: Any) -> None:  # noqa: ARG002
        """Let turns end for `DRAIN` seconds, hand the others back, and stop the threads."""
        running.drain(knobs.DRAIN)
        courier.drain(DELIVERIES)
        self._stopping.set()
        self._flusher.stop()
        for thread in self._threads:
            thread.join()
        with suppress(StoreUnavailable):  # it is forgotten in time
            health.leave(inference.WORKER)

    def terminate(self, worker: Any) -> None:
        """Stop as ever: the supervisor's patience is the bound."""
        self.stop(worker)

    def _sweep(self) -> None:
        while not self._stopping.wait(knobs.SWEEP * random.uniform(0.8, 1.2)):  # noqa: S311
            try:
                recovery.sweep()
                courier.look()
                gatekeeper.look()
                health.show_life(inference.WORKER, running=len(running.all()))
                if knobs.PULSE_FILE:
                    Path(knobs.PULSE_FILE).touch()
            except StoreUnavailable as error:
                logger.warning("The sweep has to wait: %s", error.__cause__)
