"""The threads of a worker that deliver webhooks, separate from those that write replies."""

import logging
from collections.abc import Iterable
from threading import Condition, Thread
from time import monotonic
from typing import Any

from chat.domain import DueDelivery
from chat.domain.errors import StoreUnavailable
from chat.http.connections import resolve_name
from chat.settings import chat_settings
from chat.store import outbox
from chat.webhooks import delivery
from chat.webhooks.receivers import Receivers, host_of, networks_of

logger = logging.getLogger(__name__)

# Deliveries that wait in this process for a thread. The outbox also holds them.
MAX_PENDING = 10_000
# Addresses of a host that a delivery may try.
MAX_ADDRESSES = 8
# A failed call that took this part of the timeout counts as a timeout.
SLOW = 0.5


class DeliveryPool:
    """Attempts deliveries in at most `WEBHOOK_CONCURRENCY` threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        # Session and reply number of deliveries whose receiver is not known yet.
        self._new: dict[tuple[str, int], None] = {}
        self._receivers = Receivers()
        self._threads = 0
        self._is_draining = False

    async def poll(self, partitions: Iterable[int] | None = None) -> None:
        """Submit the deliveries of partitions that are due, by default of all.

        Raises:
            StoreUnavailable
        """
        if self._count() < MAX_PENDING:
            self.submit(await outbox.claim_due.on_loop(partitions))

    def submit(self, due: Iterable[tuple[str, int]]) -> None:
        """Attempt these as soon as their receiver has a free slot, if they are still due then."""
        with self._changed:
            self._new |= dict.fromkeys(due)
            free = chat_settings.WEBHOOK_CONCURRENCY - self._threads
            for _ in range(min(free, self._count())):
                self._threads += 1
                Thread(target=self._run, name="webhooks", daemon=True).start()

    def drain(self, seconds: float) -> None:
        """Start no more deliveries and wait for those in flight.

        Another worker retries a delivery that takes longer than `seconds`.
        """
        with self._changed:
            self._is_draining = True
            self._changed.wait_for(lambda: not self._threads, seconds)

    def _count(self) -> int:
        return len(self._new) + self._receivers.pending

    def _run(self) -> None:
        try:
            while (due := self._next()) is not None:
                self._attempt(due)
        finally:
            with self._changed:
                self._threads -= 1
                self._changed.notify_all()

    def _next(self) -> DueDelivery | None:
        while True:
            with self._changed:
                if self._is_draining:
                    return None
                new, self._new = list(self._new), {}
                if not new:
                    return self._receivers.start_next()
            self._sort(new)

    def _sort(self, new: list[tuple[str, int]]) -> None:
        """Let deliveries wait for their receiver, except if it is skipped."""
        skipped: dict[float, list[DueDelivery]] = {}
        try:
            found = outbox.look_up(new)
            with self._changed:
                for due in found:
                    if seconds := self._receivers.add(due):
                        skipped.setdefault(seconds, []).append(due)
            for seconds, deliveries in skipped.items():
                outbox.postpone(deliveries, seconds)
        except StoreUnavailable as error:
            logger.warning("Storage is unavailable; will retry: %s", error.__cause__)

    def _attempt(self, due: DueDelivery) -> None:
        """Call the receiver, unless too many calls to its network are running.

        It is due again in a moment then: the outbox holds it.
        """
        started = monotonic()
        code = None
        addresses = _resolve(due)
        networks = frozenset() if due.url is None else networks_of(each[4][0] for each in addresses)
        with self._changed:
            may_call = self._receivers.enter(networks)
        if may_call:
            try:
                code = delivery.deliver(due, resolve=lambda *_: addresses)
            finally:
                with self._changed:
                    self._receivers.leave(networks)
        self._finish(due, code, monotonic() - started)

    def _finish(self, due: DueDelivery, code: str | None, seconds: float) -> None:
        is_slow = seconds > SLOW * chat_settings.WEBHOOK_TIMEOUT
        has_response = code is not None and code.isdigit()
        has_hung = code == "timeout" or (is_slow and not (code or "").startswith("2"))
        with self._changed:
            hold, held = self._receivers.finish(
                due, has_answered=has_response and not is_slow, has_hung=has_hung
            )
        if not hold:
            return
        logger.warning("Webhooks: a receiver timed out; it is skipped for %d s", hold)
        try:
            outbox.postpone(held, hold)
        except StoreUnavailable as error:
            logger.warning("Storage is unavailable; will retry: %s", error.__cause__)


def _resolve(due: DueDelivery) -> list[Any]:
    """Return the addresses of the receiver; none if its name cannot be resolved."""
    try:
        return resolve_name(*host_of(due.url or chat_settings.WEBHOOK_URL))[:MAX_ADDRESSES]
    except (OSError, UnicodeError):
        return []


# The pool of this process.
delivery_pool = DeliveryPool()
