"""Wait for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

# Seconds between two evaluations.
INTERVAL = 0.005
# Of a predicate that costs time, so that waiting leaves the cores to others.
MAX_INTERVAL = 0.05

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], *, within: float = 30.0, every: float = INTERVAL) -> T:
    """Return the first true value of `predicate`; fail if there is none in time.

    within: seconds; every: the least seconds between two evaluations.
    """
    deadline = time.monotonic() + within
    while True:
        started = time.monotonic()
        if value := predicate():
            return value
        now = time.monotonic()
        assert now < deadline, f"not true within {within} s: {predicate}"
        time.sleep(max(every, min(4 * (now - started), MAX_INTERVAL)))
