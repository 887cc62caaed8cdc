"""Wait for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

# Seconds between two evaluations.
INTERVAL = 0.005

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], *, within: float = 30.0, every: float = INTERVAL) -> T:
    """Return the first true value of `predicate`; fail if there is none within so many seconds.

    every: seconds between two evaluations, for predicates that cost time.
    """
    deadline = time.monotonic() + within
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"not true within {within} s: {predicate}"
        time.sleep(every)
    return value
