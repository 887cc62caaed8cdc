"""The threads of a worker that try deliveries to webhooks, apart from those that write replies."""

from collections.abc import Iterable
from threading import Condition, Thread

from chat.settings import chat_settings
from chat.store import outbox
from chat.webhooks import delivery

# Deliveries that wait in this process; the outbox keeps the others, and these as well.
MOST_WAITING = 2000


class Courier:
    """Tries what it is given, in at most `WEBHOOK_CONCURRENCY` threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        # Session and reply number of what no thread has begun, in order.
        self._waiting: dict[tuple[str, int], None] = {}
        self._threads = 0
        self._is_draining = False

    def look(self) -> None:
        """Take on what is due.

        Raises:
            StoreUnavailable
        """
        if len(self._waiting) < MOST_WAITING:
            self.take(outbox.claim_due())

    def take(self, due: Iterable[tuple[str, int]]) -> None:
        """Try these soon; whether they are still to be tried is asked then."""
        with self._changed:
            self._waiting |= dict.fromkeys(due)
            free = chat_settings.WEBHOOK_CONCURRENCY - self._threads
            for _ in range(min(free, len(self._waiting))):
                self._threads += 1
                Thread(target=self._run, name="courier", daemon=True).start()

    def drain(self, seconds: float) -> None:
        """Begin nothing more, and wait for what is on its way.

        What takes longer than `seconds` is tried again by another worker.
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
            if self._is_draining or not self._waiting:
                return None
            one = next(iter(self._waiting))
            del self._waiting[one]
            return one


# The courier of this process.
courier = Courier()
