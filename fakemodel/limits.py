"""The limits of the server: concurrent calls and calls per minute."""

import math
import time
from collections import deque
from dataclasses import dataclass, field

from fakemodel.errors import APIError


@dataclass(slots=True, kw_only=True)
class Limits:
    """Rejects calls above the limits, as vendors do. 0 means unlimited."""

    max_concurrent: int
    # Calls accepted within any `window` seconds.
    max_per_window: int
    window: float
    # When the calls of the current window were accepted, by the monotonic clock.
    accepted: deque[float] = field(default_factory=deque)

    def admit(self, in_flight: int) -> None:
        """Count a call.

        Raises:
            APIError: 429; with Retry-After if the limit per window is reached.
        """
        if self.max_concurrent and in_flight > self.max_concurrent:
            raise APIError(429, "Too many concurrent requests.")
        if self.max_per_window:
            self.admit_at(time.monotonic())

    def admit_at(self, now: float) -> None:
        """Count a call in the window that ends at `now`.

        Raises:
            APIError: 429 with Retry-After.
        """
        while self.accepted and self.accepted[0] <= now - self.window:
            self.accepted.popleft()
        if len(self.accepted) >= self.max_per_window:
            wait = math.ceil(self.accepted[0] + self.window - now)
            raise APIError(429, "Rate limit reached.", retry_after=max(wait, 1))
        self.accepted.append(now)

    def reset(self) -> None:
        """Forget all accepted calls."""
        self.accepted.clear()
