"""The pace that one connection is held to."""

import time


class RateLimiter:
    """Lets calls pass at a steady rate with a burst, by GCRA, as `throttle.lua` does.

    per_minute: calls at the steady rate, 0 for any number; burst: calls that may come at once.
    """

    __slots__ = ("_burst", "_interval", "_next")

    def __init__(self, *, per_minute: int, burst: int) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._burst = burst
        # When a steady stream would call next.
        self._next = 0.0

    def allow(self) -> bool:
        """Count a call, unless it comes too early."""
        now = time.monotonic()
        due = max(self._next, now)
        if due - now > (self._burst - 1) * self._interval:
            return False
        self._next = due + self._interval
        return True
