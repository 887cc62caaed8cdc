"""How much the dev model takes on: calls at once, and calls a minute."""

import math
import time
from collections import deque
from dataclasses import dataclass, field

from fakemodel.errors import Refused


@dataclass(slots=True, kw_only=True)
class Limits:
    """Refuses what is beyond the limits, as vendors do. 0 sets no limit."""

    at_once: int
    """Calls in flight."""
    per_minute: int
    """Calls accepted within any `minute`."""
    minute: float
    """Seconds that the minute lasts; shorter in tests."""
    accepted: deque[float] = field(default_factory=deque)
    """When the calls of the last minute were accepted, by the monotonic clock."""

    def admit(self, in_flight: int) -> None:
        """Count a call; raises Refused (429) if it is one too many, with Retry-After if known."""
        if self.at_once and in_flight > self.at_once:
            raise Refused(429, "Too many requests in flight.")
        if self.per_minute:
            self.admit_this_minute(time.monotonic())

    def admit_this_minute(self, now: float) -> None:
        """Count a call that comes at `now`; raises Refused (429)."""
        while self.accepted and self.accepted[0] <= now - self.minute:
            self.accepted.popleft()
        if len(self.accepted) >= self.per_minute:
            wait = math.ceil(self.accepted[0] + self.minute - now)
            header = (b"retry-after", b"%d" % max(wait, 1))
            raise Refused(429, "Rate limit reached.", headers=(header,))
        self.accepted.append(now)
