"""Doing many things at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Do all acts in threads that start together; return what they return, in their order."""
    return [future.result() for future in started(acts)]


def started(acts: Sequence[Callable[[], T]]) -> list["Future[T]"]:
    """Begin all acts in threads that start together, and go on."""
    barrier = Barrier(len(acts))

    def do(act: Callable[[], T]) -> T:
        barrier.wait()
        return act()

    pool = ThreadPoolExecutor(len(acts))
    futures = [pool.submit(do, act) for act in acts]
    pool.shutdown(wait=False)
    return futures
