"""The threads of a worker that deliver webhooks, separate from those that write replies."""

from collections.abc import Iterable
from threading import Condition, Thread

from chat.settings import chat_settings
from chat.store import outbox
from chat.webhooks import delivery

# Deliveries that wait in this process for a thread. The outbox also holds them.
MAX_PENDING = 2000


class DeliveryPool:
    """Attempts deliveries in at most `WEBHOOK_CONCURRENCY` threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        # Session and reply number of deliveries that no thread has started, in order.
        self._pending: dict[tuple[str, int], None] = {}
        self._threads = 0
        self._is_draining = False

    def poll(self) -> None:
        """Submit the deliveries that are due.

        Raises:
            StoreUnavailable
        """
        if len(self._pending) < MAX_PENDING:
            self.submit(outbox.claim_due())

    def submit(self, due: Iterable[tuple[str, int]]) -> None:
        """Attempt these as soon as a thread is free, if they are still due then."""
        with self._changed:
            self._pending |= dict.fromkeys(due)
            free = chat_settings.WEBHOOK_CONCURRENCY - self._threads
            for _ in range(min(free, len(self._pending))):
                self._threads += 1
                Thread(target=self._run, name="webhooks", daemon=True).start()

    def drain(self, seconds: float) -> None:
        """Start no more deliveries and wait for those in flight.

        Another worker retries a delivery that takes longer than `seconds`.
        """
        with self._changed:
            self._is_draining = True
            self._changed.wait_for(lambda: not self._threads, seconds)

    def _run(self) -> None:
        try:
            while (one := self._next()) is not None:
                delivery.deliver(*one)
        finally:
            with self._changed:
                self._threads -= 1
                self._changed.notify_all()

    def _next(self) -> tuple[str, int] | None:
        with self._changed:
            if self._is_draining or not self._pending:
                return None
            one = next(iter(self._pending))
            del self._pending[one]
            return one


# The pool of this process.
delivery_pool = DeliveryPool()
