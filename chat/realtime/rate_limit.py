"""The rate limiter of one connection."""

import time


class RateLimiter:
    """Allows a steady rate with a burst, by GCRA, as `throttle.lua` does.

    Args:
        per_minute: calls at the steady rate; 0 means no limit.
        burst: calls that are allowed at once.
    """

    __slots__ = ("_burst", "_interval", "_tat")

    def __init__(self, *, per_minute: int, burst: int) -> None:
        # Seconds between frames at the steady rate.
        self._interval = 60 / per_minute if per_minute else 0.0
        self._burst = burst
        # The theoretical arrival time of GCRA, seconds.
        self._tat = 0.0

    def allow(self) -> bool:
        """Return whether a call is allowed now, and count it if it is."""
        now = time.monotonic()
        tat = max(self._tat, now)
        if tat - now > (self._burst - 1) * self._interval:
            return False
        self._tat = tat + self._interval
        return True
