"""The Celery bootstep that runs the worker's background threads: flusher and sweeper."""

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

from celery import bootsteps
from celery.concurrency.base import BasePool
from celery.concurrency.thread import TaskPool

from chat import broker
from chat.domain.errors import BrokerUnavailable, ConfigError, StoreUnavailable
from chat.operations import health
from chat.settings import chat_settings
from chat.startup import exit_on_config_error
from chat.webhooks.delivery_pool import delivery_pool
from chat.worker import sweeper, turn_runner
from chat.worker.active_turns import active_turns
from chat.worker.critical_thread import CriticalThread
from chat.worker.flusher import Flusher
from chat.worker.limiter import model_limiter
from chat.worker.sweep_share import SweepShare

logger = logging.getLogger(__name__)

# Seconds between iterations of Celery's event loop. Without prefetching, Celery polls the broker
# once per iteration, and a task that ends in a thread does not start one. Without this timer, a
# fully loaded worker was idle for up to five seconds (measured).
POLL_INTERVAL = 0.05
# Seconds that a stopping worker waits for webhook deliveries in progress.
DELIVERY_DRAIN_TIMEOUT = 2.0


def check_configuration(pool: BasePool) -> None:
    """Check what a worker needs from its pool, Redis and the broker.

    Raises:
        SystemExit: the pool does not use threads, Redis evicts keys, `CHAT_PARTITIONS` is wrong, or
            the broker has the queue with another type.
    """
    # Celery shows no traceback of a SystemExit, and exits with its code.
    with exit_on_config_error():
        if not isinstance(pool, TaskPool):
            raise ConfigError("--pool: must be threads, which is the default")
    health.exit_on_wrong_partitions()
    with exit_on_config_error():
        try:
            if health.may_evict_keys():
                raise ConfigError("REDIS_URL: maxmemory-policy must be noeviction")
        except StoreUnavailable as error:
            logger.warning("Could not check Redis's maxmemory-policy: %s", error.__cause__)
        try:
            broker.check_queue()
        except BrokerUnavailable as error:
            logger.warning("Could not check the broker's queue: %s", error.__cause__)


class BackgroundThreads(bootsteps.StartStopStep):
    """Starts and stops with the worker: the flusher, and a sweep every `CHAT_SWEEP_INTERVAL`.

    The sweep has its own thread, because the worker's timer stops while the broker is unreachable,
    and that is when the sweep is needed.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopping = Event()
        self._flusher = Flusher(active_turns)
        self._share = SweepShare(turn_runner.WORKER_ID)
        self._threads = [
            CriticalThread(target=self._flusher.run, name="flusher", daemon=True),
            CriticalThread(target=self._run_sweeper, name="sweeper", daemon=True),
        ]

    def start(self, worker: Any) -> None:
        """Check the configuration, then start the threads.

        Raises:
            SystemExit: see `check_configuration`.
        """
        check_configuration(worker.pool)
        with suppress(StoreUnavailable):  # the sweeper checks again
            sweeper.check_clock()
        worker.timer.call_repeatedly(POLL_INTERVAL, _do_nothing)
        for thread in self._threads:
            thread.start()

    def close(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Stop claiming turns."""
        active_turns.is_draining = True

    def stop(self, worker: Any) -> None:  # noqa: ARG002
        """Drain turns for `CHAT_DRAIN_TIMEOUT` seconds, requeue the rest, stop the threads."""
        active_turns.drain(chat_settings.DRAIN_TIMEOUT)
        delivery_pool.drain(DELIVERY_DRAIN_TIMEOUT)
        self._stopping.set()
        self._flusher.stop()
        for thread in self._threads:
            thread.join()
        with suppress(StoreUnavailable):  # the entry expires
            health.unregister(turn_runner.WORKER_ID)

    def terminate(self, worker: Any) -> None:
        """Drain as in `stop`; the process manager's timeout limits it."""
        self.stop(worker)

    def _run_sweeper(self) -> None:
        while not self._stopping.wait(chat_settings.SWEEP_INTERVAL * random.uniform(0.8, 1.2)):  # noqa: S311
            # Each step by itself: a dead node of a Cluster must not stop the others.
            steps: tuple[Callable[[], object], ...] = (
                lambda: health.check_partitions(is_start=True),  # unless it was checked before
                sweeper.check_clock,
                lambda: sweeper.sweep(self._share.partitions),
                sweeper.settle_reservations,
                lambda: delivery_pool.poll(self._share.partitions),
                model_limiter.refresh,
                self._beat,
            )
            errors = [error for step in steps if (error := _error_of(step))]
            if errors:
                logger.warning("Could not sweep; will retry: %s", errors[0].__cause__)
            if len(errors) < len(steps) and chat_settings.HEARTBEAT_FILE:
                Path(chat_settings.HEARTBEAT_FILE).touch()

    def _beat(self) -> None:
        """Record a heartbeat, and learn which workers share the sweep."""
        self._share.update([])
        running = len(active_turns.all())
        self._share.update(health.heartbeat(turn_runner.WORKER_ID, running=running))


def _error_of(step: Callable[[], object]) -> StoreUnavailable | None:
    try:
        step()
    except StoreUnavailable as error:
        return error
    return None


def _do_nothing() -> None:
    """Any timer entry makes the event loop iterate."""
