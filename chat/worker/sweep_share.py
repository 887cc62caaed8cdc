"""The partitions that this worker sweeps: live workers share them, about two workers each.

Each worker ranks all live workers for each partition by a hash ("rendezvous hashing"). No worker
has to agree with another one: while their views differ, a partition has more sweepers, or the
second one alone. A worker that does not know the others sweeps all partitions.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import blake2b

from chat.settings import chat_settings

# With two, the partitions of a worker that dies are swept by others without a pause.
SWEEPERS = 2


class SweepShare:
    """The share of one worker, computed from the live workers that it last saw."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._alive: frozenset[str] = frozenset()

    def update(self, alive: Iterable[str]) -> None:
        """Set the live workers; none if they are unknown."""
        self._alive = frozenset(alive)

    @property
    def worker_count(self) -> int:
        """The number of live workers; 0 if it is unknown."""
        return len(self._alive)

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions to sweep."""
        if not self._alive:
            return tuple(range(chat_settings.PARTITIONS))
        return _share(self._worker, self._alive | {self._worker}, chat_settings.PARTITIONS)


@lru_cache(maxsize=8)
def _share(worker: str, alive: frozenset[str], count: int) -> tuple[int, ...]:
    return tuple(partition for partition in range(count) if worker in sweepers_of(partition, alive))


def sweepers_of(partition: int, workers: Collection[str]) -> list[str]:
    """Return the workers that sweep a partition."""
    return sorted(workers, key=lambda worker: _rank(partition, worker))[:SWEEPERS]


def _rank(partition: int, worker: str) -> bytes:
    return blake2b(f"{partition} {worker}".encode(), digest_size=8).digest()
