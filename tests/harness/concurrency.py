"""Run functions at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def run_concurrently(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Run each function in a thread, all from the same moment; return the results in order."""
    return [future.result() for future in start_concurrently(functions)]


def start_concurrently(functions: Sequence[Callable[[], T]]) -> list["Future[T]"]:
    """Like `run_concurrently`, but return futures without waiting."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], T]) -> T:
        barrier.wait()
        return function()

    pool = ThreadPoolExecutor(len(functions))
    futures = [pool.submit(run, function) for function in functions]
    pool.shutdown(wait=False)
    return futures
