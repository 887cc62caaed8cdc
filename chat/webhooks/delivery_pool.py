"""The webhook deliveries of a worker: tasks of its event loop, apart from its turns."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextvars import Context
from time import monotonic
from typing import Any

from chat.domain import DueDelivery
from chat.domain.errors import StoreUnavailable
from chat.http.lookups import lookup_threads
from chat.http.loop_connection import AddressInfo
from chat.settings import chat_settings
from chat.store import outbox
from chat.webhooks import delivery
from chat.webhooks.receivers import Receivers, host_of, networks_of

logger = logging.getLogger(__name__)

# Deliveries that wait in this process for a slot. The outbox also holds them.
MAX_PENDING = 10_000
# Addresses of a host that a delivery may try.
MAX_ADDRESSES = 8
# A failed call that took this part of the timeout counts as a timeout.
SLOW = 0.5


class DeliveryPool:
    """Attempts at most `WEBHOOK_CONCURRENCY` deliveries at a time, on the running event loop."""

    def __init__(self) -> None:
        # Session and reply number of deliveries whose receiver is not known yet.
        self._new: dict[tuple[str, int], None] = {}
        self._receivers = Receivers()
        self._sorting: asyncio.Task[None] | None = None
        # The attempts.
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_draining = False

    async def poll(self, partitions: Iterable[int] | None = None) -> None:
        """Submit the deliveries of partitions that are due, by default of all.

        Raises:
            StoreUnavailable
        """
        if len(self._new) + self._receivers.pending < MAX_PENDING:
            self.submit(await outbox.claim_due.on_loop(partitions))

    def submit(self, due: Iterable[tuple[str, int]]) -> None:
        """Attempt these as soon as their receiver has a free slot, if they are still due then."""
        self._new |= dict.fromkeys(due)
        self._proceed()

    async def drain(self, seconds: float) -> None:
        """Start no more deliveries and wait for those in flight.

        Another worker retries a delivery that takes longer than `seconds`.
        """
        self._is_draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _sort(self) -> None:
        """Let new deliveries wait for their receiver, except if it is skipped."""
        skipped: dict[float, list[DueDelivery]] = {}
        new, self._new = list(self._new), {}
        try:
            for due in await outbox.get_many.on_loop(new):
                if seconds := self._receivers.add(due):
                    skipped.setdefault(seconds, []).append(due)
            for seconds, deliveries in skipped.items():
                await outbox.postpone.on_loop(deliveries, seconds)
        except StoreUnavailable as error:
            logger.warning("Storage is unavailable; will retry: %s", error.__cause__)

    def _proceed(self) -> None:
        """Sort new deliveries, and start attempts while there are free slots."""
        if self._is_draining:
            return
        if self._new and self._sorting is None:
            self._sorting = self._create_task(self._sort())
        while len(self._tasks) < chat_settings.WEBHOOK_CONCURRENCY:
            due = self._receivers.start_next()
            if due is None:
                return
            self._tasks.add(self._create_task(self._attempt(due)))

    def _create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task without the log context of the turn that has ended."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        task.add_done_callback(self._on_end)
        return task

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task is self._sorting:
            self._sorting = None
        if task.cancelled():  # its event loop ends
            return
        if (error := task.exception()) is not None:
            logger.error("A webhook delivery failed", exc_info=error)
        self._proceed()

    async def _attempt(self, due: DueDelivery) -> None:
        """Call the receiver, unless too many calls to its network are running.

        It is due again in a moment then: the outbox holds it.
        """
        started = monotonic()
        code = None
        try:
            code = await self._call(due, await _resolve(due))
        finally:
            seconds, skipped = self._finish(due, code, monotonic() - started)
        if not seconds:
            return
        logger.warning("Webhooks: a receiver timed out; it is skipped for %d s", seconds)
        try:
            await outbox.postpone.on_loop(skipped, seconds)
        except StoreUnavailable as error:
            logger.warning("Storage is unavailable; will retry: %s", error.__cause__)

    async def _call(self, due: DueDelivery, addresses: list[AddressInfo]) -> str | None:
        async def resolve(_host: str, _port: int) -> list[AddressInfo]:
            return addresses

        networks = frozenset() if due.url is None else networks_of(each[4][0] for each in addresses)
        if not self._receivers.begin_call(networks):
            return None
        try:
            return await delivery.deliver(due, resolve=resolve)
        finally:
            self._receivers.end_call(networks)

    def _finish(
        self, due: DueDelivery, code: str | None, seconds: float
    ) -> tuple[float, list[DueDelivery]]:
        """Record the end of an attempt; returns as `Receivers.finish`."""
        is_slow = seconds > SLOW * chat_settings.WEBHOOK_TIMEOUT
        has_response = code is not None and code.isdigit()
        has_hung = code == "timeout" or (is_slow and not (code or "").startswith("2"))
        return self._receivers.finish(
            due, has_answered=has_response and not is_slow, has_hung=has_hung
        )


async def _resolve(due: DueDelivery) -> list[AddressInfo]:
    """Return the addresses of the receiver; none if its name cannot be resolved."""
    host, port = host_of(due.url or chat_settings.WEBHOOK_URL)
    try:
        return (await lookup_threads.resolve(host, port))[:MAX_ADDRESSES]
    except (OSError, ValueError):
        return []


# The pool of this process.
delivery_pool = DeliveryPool()
