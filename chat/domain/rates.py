"""Rates: calls per minute with a burst, limited by GCRA (ITU-T I.371).

A limit of one process is a `RateLimiter`. Limits that processes share are in Redis; their scripts
use `chat/store/lua/lib/rate.lua`.
"""

import time

MINUTE_MS = 60_000


def interval_ms(per_minute: int) -> float:
    """Return the ms between two calls at the steady rate; 0 for no limit."""
    return MINUTE_MS / per_minute if per_minute else 0.0


def interval_and_burst(per_minute: int, *, burst_share: int) -> tuple[float, int]:
    """Return the ms between two calls, and how many may come at once, for a limit per minute.

    The burst is 1 / `burst_share` of the limit. The steady rate is reduced by as much, so that no
    minute exceeds the limit, its burst included.
    """
    burst = max(1, per_minute // burst_share)
    steady = max(1, per_minute - burst)
    return (interval_ms(steady) if per_minute else 0.0), burst


class RateLimiter:
    """A rate limiter of this process. A monotonic clock measures it.

    per_minute: calls at the steady rate; 0 means no limit.
    burst: calls that are allowed at once.
    """

    __slots__ = ("_burst", "_interval", "_tat")

    def __init__(self, *, per_minute: int, burst: int) -> None:
        # Seconds between calls at the steady rate.
        self._interval = interval_ms(per_minute) / 1000
        self._burst = burst
        # The theoretical arrival time of GCRA, seconds.
        self._tat = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether its calls so far no longer matter."""
        return self._tat <= time.monotonic()

    @property
    def is_exhausted(self) -> bool:
        """Whether no call is allowed now."""
        return self._tat - time.monotonic() > (self._burst - 1) * self._interval

    def allow(self) -> bool:
        """Return whether a call is allowed now, and count it if it is."""
        # In this order: another thread may count a later call in between.
        tat, now = self._tat, time.monotonic()
        if tat - now > (self._burst - 1) * self._interval:
            return False
        self._tat = max(tat, now) + self._interval
        return True

    def charge(self, calls: int) -> None:
        """Count calls that were made, allowed or not; together they may exceed the burst by half.

        So a client that goes on is not allowed one call after each interval.
        """
        now = time.monotonic()
        most = now + 1.5 * self._burst * self._interval
        self._tat = min(max(self._tat, now) + calls * self._interval, most)
