"""The Celery bootstep that runs the worker's background tasks: flusher and sweeper."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.concurrency.base import BasePool

from chat import broker
from chat.domain.errors import BrokerUnavailable, ConfigError, StoreUnavailable
from chat.operations import health
from chat.settings import chat_settings
from chat.startup import exit_on_config_error
from chat.store import counters, workers
from chat.webhooks.delivery_pool import delivery_pool
from chat.worker import sweeper, tasks, turn_runner
from chat.worker.active_turns import active_turns
from chat.worker.event_loop import EventLoopThread
from chat.worker.flusher import run_flusher
from chat.worker.limiter import model_limiter
from chat.worker.overdraft import overdraft
from chat.worker.pool import TurnPool
from chat.worker.sweep_share import SweepShare
from chat.worker.task_request import request_log

logger = logging.getLogger(__name__)

# Seconds that a stopping worker waits for webhook deliveries in progress.
DELIVERY_DRAIN_TIMEOUT = 2.0


def check_configuration(pool: BasePool) -> None:
    """Check what a worker needs from its pool, Redis and the broker.

    Raises:
        SystemExit: the pool is not Parley's, Redis evicts keys, `CHAT_PARTITIONS` is wrong, or
            the broker has the queue with another type.
    """
    # Celery shows no traceback of a SystemExit, and exits with its code.
    with exit_on_config_error():
        if not isinstance(pool, TurnPool):
            raise ConfigError("--pool: Parley has its own pool, which is the default")
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


class BackgroundTasks(bootsteps.StartStopStep):
    """Starts and stops with the worker: the flusher, and a sweep every `CHAT_SWEEP_INTERVAL`.

    They run on the event loop of the turns, whatever Celery's main thread does: while the broker is
    unreachable, it waits for the broker.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._share = SweepShare(turn_runner.worker_id())
        self._rollup = sweeper.HourlyRollup()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, worker: Any) -> None:
        """Check the configuration, then start the tasks.

        Raises:
            SystemExit: see `check_configuration`.
        """
        check_configuration(worker.pool)
        request_log.use_consumer(worker.consumer)  # it exists, but connects later
        worker.pool.run_own_turns(partial(request_log.run_own, tasks.wake_up))
        worker.pool.event_loop.run(self._start(worker.pool.event_loop))
        # Celery's own line follows once it has connected to the broker.
        logger.info("%s runs turns: it is ready.", turn_runner.worker_id())

    def close(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Stop claiming turns."""
        active_turns.is_draining = True

    def stop(self, worker: Any) -> None:
        """Drain turns for `CHAT_DRAIN_TIMEOUT` seconds, requeue the rest, stop the tasks."""
        worker.pool.drain(chat_settings.DRAIN_TIMEOUT)
        worker.pool.event_loop.run(delivery_pool.drain(DELIVERY_DRAIN_TIMEOUT))
        worker.pool.event_loop.run(self._stop())

    def terminate(self, worker: Any) -> None:
        """Drain as in `stop`; the process manager's timeout limits it."""
        self.stop(worker)

    async def _start(self, event_loop: EventLoopThread) -> None:
        with suppress(StoreUnavailable):  # the sweeper checks again
            await sweeper.check_clock()
            await self._record_heartbeat()
        self._tasks = [
            event_loop.spawn_critical("flusher", run_flusher(active_turns)),
            event_loop.spawn_critical("sweeper", self._run_sweeper()),
        ]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(StoreUnavailable):
            await counters.write.on_loop()
        with suppress(StoreUnavailable):
            await overdraft.record()
        with suppress(StoreUnavailable):  # the entry expires
            await workers.unregister.on_loop(turn_runner.worker_id())

    async def _run_sweeper(self) -> None:
        while True:
            await asyncio.sleep(chat_settings.SWEEP_INTERVAL * random.uniform(0.8, 1.2))  # noqa: S311
            # Each step by itself: a dead node of a Cluster must not stop the others.
            steps: tuple[Callable[[], Awaitable[object]], ...] = (
                _check_partitions,
                sweeper.check_clock,
                self._sweep,
                self._record_heartbeat,
                lambda: sweeper.settle_reservations(self._share.worker_count),
                lambda: delivery_pool.poll(self._share.partitions),
                model_limiter.refresh,
                counters.write.on_loop,
                self._rollup.record,
            )
            errors = {step: error for step in steps if (error := await _error_of(step))}
            if errors:
                first = next(iter(errors.values()))
                logger.warning("Could not sweep; will retry: %s", first.__cause__)
            if heartbeat := chat_settings.HEARTBEAT_FILE:
                await asyncio.to_thread(Path(f"{heartbeat}.loop").touch)
                if not {self._sweep, self._record_heartbeat} <= errors.keys():
                    await asyncio.to_thread(Path(heartbeat).touch)

    async def _sweep(self) -> None:
        await sweeper.sweep(self._share.partitions)

    async def _record_heartbeat(self) -> None:
        """Also learn which workers share the sweep."""
        self._share.update([])
        running = len(active_turns)
        self._share.update(await health.heartbeat(turn_runner.worker_id(), running=running))


async def _check_partitions() -> None:
    """Check `CHAT_PARTITIONS` if Redis was down at the start."""
    if not health.check_partitions.cache_info().currsize:
        await asyncio.to_thread(health.check_partitions, is_start=True)


async def _error_of(step: Callable[[], Awaitable[object]]) -> StoreUnavailable | None:
    try:
        await step()
    except StoreUnavailable as error:
        return error
    return None
