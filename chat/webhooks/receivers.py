"""Fair shares of a worker's delivery slots, so that a receiver that hangs delays no others.

A receiver is the host of a webhook URL. The networks that its name resolves to have the same limit,
because a client may own any number of names. So have the sessions of one owner. A receiver that has
not answered lately shares half of the slots with all others like it. The URL of the settings is
trusted: it is the only receiver of most deployments, so it may use half of the slots and is never
skipped.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from chat.domain import DueDelivery
from chat.settings import chat_settings

# Deliveries at a time per receiver and network, and the part of all slots that they may use.
MAX_RUNNING = 4
SHARE = 8
# Deliveries of one receiver that wait in this process; the outbox has the others.
MAX_PENDING = 100
# Seconds for which a receiver is skipped after a timeout. They double with each further one.
FIRST_BACKOFF = 5.0
MAX_BACKOFF = 3600.0
# Receivers that this process remembers.
MAX_RECEIVERS = 10_000
# Key of the receiver of CHAT_WEBHOOK_URL; no host name has a space.
TRUSTED = "the settings"
# Bits of an address that are the same for all addresses of one owner.
PREFIX_BITS = {4: 24, 6: 48}


def backoff_seconds(timeouts: int) -> float:
    """Return the seconds for which a receiver is skipped after this number of timeouts in a row."""
    return min(FIRST_BACKOFF * 2.0 ** min(timeouts - 1, 16), MAX_BACKOFF)


def host_of(url: str) -> tuple[str, int]:
    """Return host and port of a URL; an empty host if it is invalid."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0


def networks_of(addresses: Iterable[str]) -> frozenset[str]:
    """Return the /24 or /48 of each address."""
    found = map(ipaddress.ip_address, addresses)
    return frozenset(
        str(ipaddress.ip_network((each, PREFIX_BITS[each.version]), strict=False)) for each in found
    )


@dataclass(slots=True, kw_only=True)
class Receiver:
    """A host that webhook URLs name."""

    is_trusted: bool
    pending: dict[DueDelivery, None] = field(default_factory=dict)
    running: int = 0
    has_answered: bool = False
    # Timeouts in a row.
    timeouts: int = 0
    # Time of the monotonic clock, in seconds.
    skipped_until: float = 0

    @property
    def is_proven(self) -> bool:
        return self.is_trusted or (self.has_answered and not self.timeouts)

    @property
    def has_free_slot(self) -> bool:
        if self.timeouts and not self.is_trusted:
            return not self.running  # one delivery tests it
        return self.running < (_half() if self.is_trusted else _share())


class Receivers:
    """The receivers that this process has deliveries for."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._receivers: dict[str, Receiver] = {}
        # Those with pending deliveries; the one that was served last is at the end.
        self._waiting: dict[str, None] = {}
        # Those with running deliveries.
        self._running: set[str] = set()
        self._networks: Counter[str] = Counter()
        # Running deliveries of each owner, except those to the trusted receiver.
        self._owners: Counter[str] = Counter()
        # Deliveries that wait here.
        self.pending = 0

    def add(self, due: DueDelivery) -> float:
        """Let a delivery wait for a slot; return the seconds for which its receiver is skipped.

        If these are not 0, or too many deliveries of the receiver wait, it does not wait here.
        """
        key = _key(due)
        receiver = self._receiver(key, due)
        if (left := receiver.skipped_until - self._clock()) > 0:
            return left
        if due not in receiver.pending and len(receiver.pending) < MAX_PENDING:
            receiver.pending[due] = None
            self.pending += 1
            self._waiting.setdefault(key)
        return 0.0

    def start_next(self) -> DueDelivery | None:
        """Return a delivery of the receiver that has waited longest and has a free slot."""
        for key in self._waiting:
            receiver = self._receivers[key]
            if not receiver.has_free_slot:
                continue
            due = self._next_of(receiver)
            if due and (receiver.is_proven or self._unproven() < _half()):
                self._remove(key, [due])
                receiver.running += 1
                self._owners[due.owner] += not receiver.is_trusted
                self._running.add(key)
                return due
        return None

    def _next_of(self, receiver: Receiver) -> DueDelivery | None:
        """Return the first pending delivery whose owner has a free slot."""
        if receiver.is_trusted:
            return next(iter(receiver.pending))
        share = _share()
        return next((due for due in receiver.pending if self._owners[due.owner] < share), None)

    def begin_call(self, networks: frozenset[str]) -> bool:
        """Count a call to these networks; return false if one of them has too many."""
        if any(self._networks[each] >= _share() for each in networks):
            return False
        self._networks.update(networks)
        return True

    def end_call(self, networks: frozenset[str]) -> None:
        self._networks.subtract(networks)
        for each in networks:
            if not self._networks[each]:
                del self._networks[each]

    def finish(
        self, due: DueDelivery, *, has_answered: bool, has_hung: bool
    ) -> tuple[float, list[DueDelivery]]:
        """Record the end of a delivery that `start_next` has returned.

        Returns the seconds for which its receiver is skipped now, and its deliveries that waited.
        """
        key = _key(due)
        receiver = self._receiver(key, due)
        receiver.running -= 1
        if not receiver.is_trusted:
            self._owners[due.owner] -= 1
            self._owners += Counter()  # without those that are 0
        if not receiver.running:
            self._running.discard(key)
        now = self._clock()
        if has_answered:
            receiver.has_answered, receiver.timeouts, receiver.skipped_until = True, 0, 0.0
        elif has_hung and not receiver.is_trusted and now >= receiver.skipped_until:
            receiver.timeouts += 1
            receiver.skipped_until = now + backoff_seconds(receiver.timeouts)
            return backoff_seconds(receiver.timeouts), self._remove(key, list(receiver.pending))
        return 0.0, []

    def _receiver(self, key: str, due: DueDelivery) -> Receiver:
        receiver = self._receivers.pop(key, None) or Receiver(is_trusted=due.url is None)
        if len(self._receivers) >= MAX_RECEIVERS:
            busy = self._waiting.keys() | self._running
            idle = (each for each in self._receivers if each not in busy)
            self._receivers.pop(next(idle, ""), None)
        self._receivers[key] = receiver  # at the end: it was used last
        return receiver

    def _remove(self, key: str, deliveries: list[DueDelivery]) -> list[DueDelivery]:
        """Remove pending deliveries of a receiver, which is then last in line."""
        receiver = self._receivers[key]
        for due in deliveries:
            del receiver.pending[due]
        self.pending -= len(deliveries)
        self._waiting.pop(key, None)
        if receiver.pending:
            self._waiting[key] = None
        return deliveries

    def _unproven(self) -> int:
        running = [self._receivers[key] for key in self._running]
        return sum(each.running for each in running if not each.is_proven)


def _key(due: DueDelivery) -> str:
    return host_of(due.url)[0] if due.url else TRUSTED


def _share() -> int:
    return max(1, min(MAX_RUNNING, chat_settings.WEBHOOK_CONCURRENCY // SHARE))


def _half() -> int:
    return max(1, chat_settings.WEBHOOK_CONCURRENCY // 2)
