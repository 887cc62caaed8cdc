"""How live workers share the partitions."""

from collections import Counter

import pytest
from pytest_django import Settings

from chat.worker.sweep_share import SweepShare, sweepers_of

WORKERS = [f"host{i % 3}:{1000 + i}" for i in range(8)]


def share(worker: str, alive: list[str]) -> set[int]:
    found = SweepShare(worker)
    found.update(alive)
    return set(found.partitions)


@pytest.fixture(autouse=True)
def partitions(settings: Settings) -> int:
    settings.CHAT_PARTITIONS = 256
    return 256


def test_every_partition_has_two_sweepers(partitions: int) -> None:
    counts = Counter(p for worker in WORKERS for p in share(worker, WORKERS))
    assert counts == dict.fromkeys(range(partitions), 2)


def test_shares_are_about_equal(partitions: int) -> None:
    sizes = [len(share(worker, WORKERS)) for worker in WORKERS]
    assert min(sizes) > 0.6 * 2 * partitions / len(WORKERS)
    assert max(sizes) < 1.4 * 2 * partitions / len(WORKERS)


def test_dead_worker_leaves_no_partition_unswept(partitions: int) -> None:
    """Also before the others notice."""
    left = WORKERS[1:]
    for alive in (WORKERS, left):
        swept = set().union(*(share(worker, alive) for worker in left))
        assert swept == set(range(partitions))


def test_other_shares_only_grow_when_a_worker_dies() -> None:
    for worker in WORKERS[1:]:
        assert share(worker, WORKERS) <= share(worker, WORKERS[1:])


def test_workers_with_different_views_leave_no_partition_unswept(partitions: int) -> None:
    """A new worker knows all others; they do not know it yet, or some do."""
    old, new = WORKERS[:-1], WORKERS[-1]
    views = [WORKERS if i % 2 else old for i in range(len(old))]
    swept = share(new, WORKERS).union(*map(share, old, views))
    assert swept == set(range(partitions))


def test_worker_that_knows_no_other_sweeps_all(partitions: int) -> None:
    assert set(SweepShare("a").partitions) == set(range(partitions))
    assert share("a", []) == share("a", ["a"]) == share("a", ["a", "b"]) == set(range(partitions))


def test_ranking_does_not_depend_on_the_order_of_workers() -> None:
    assert sweepers_of(7, WORKERS) == sweepers_of(7, WORKERS[::-1])
