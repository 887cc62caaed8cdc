"""What a Celery worker does for Parley beside its tasks: flush, sweep, drain."""

import logging
import random
from threading import Event, Thread
from typing import Any

from celery import bootsteps

from chat.conf import knobs
from chat.errors import StoreUnavailable
from chat.services import recovery
from chat.services.flusher import Flusher
from chat.services.running import running

logger = logging.getLogger(__name__)


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
        self._sweeper = Thread(target=self._sweep, name="sweeper", daemon=True)

    def start(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Begin to flush and to sweep."""
        self._flusher.start()
        self._sweeper.start()

    def close(self, worker: Any) -> None:  # noqa: ARG002
        """Claim no more turns."""
        running.is_draining = True

    def stop(self, worker: Any) -> None:  # noqa: ARG002
        """Let turns end for `DRAIN` seconds, hand the others back, and stop the threads."""
        running.drain(knobs.DRAIN)
        self._stopping.set()
        self._sweeper.join()
        self._flusher.stop()

    def terminate(self, worker: Any) -> None:
        """Stop as ever: the supervisor's patience is the bound."""
        self.stop(worker)

    def _sweep(self) -> None:
        while not self._stopping.wait(knobs.SWEEP * random.uniform(0.8, 1.2)):  # noqa: S311
            try:
                recovery.sweep()
            except StoreUnavailable as error:
                logger.warning("The sweep has to wait: %s", error.__cause__)
