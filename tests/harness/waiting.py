"""Waiting for something to come true, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

PAUSE = 0.005
"""Seconds between two looks."""

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], *, within: float = 10.0, every: float = PAUSE) -> T:
    """Return the first true value of `predicate`; fail after `within` seconds without one.

    every: seconds between two looks, where a look costs what is looked at.
    """
    until = time.monotonic() + within
    while not (value := predicate()):
        assert time.monotonic() < until, f"not true within {within} s: {predicate}"
        time.sleep(every)
    return value
