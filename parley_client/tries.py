"""How long one goes on trying, and how often."""

import random
import time

from parley_client.errors import ParleyError, Refusal, Unreachable

PASSING = frozenset({408, 429, 502, 503, 504})
"""Statuses that another try may not meet again."""
LASTING = frozenset({"session_full"})
"""Codes of such a status that waiting does not help."""
BASE = 0.1
"""Seconds of the first pause; it doubles, with jitter, so that clients do not come back as one."""
MOST = 2.0
"""Most seconds of a pause that the server did not ask for."""


class Tries:
    """The tries at one thing, from the first until `patience` seconds later."""

    def __init__(self, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._pause = BASE

    def pause(self, error: ParleyError) -> None:
        """Wait until it makes sense to try again: as long as the server asked for, if it did.

        Raises:
            ParleyError: the same error, when trying again makes no sense or there is no time left.
        """
        if not is_passing(error):
            raise error
        asked = error.retry_after if isinstance(error, Refusal) else None
        delay = self._pause * random.uniform(0.5, 1) if asked is None else asked  # noqa: S311
        if time.monotonic() + delay > self._until:
            raise error
        self._pause = min(MOST, self._pause * 2)
        time.sleep(delay)


def is_passing(error: ParleyError) -> bool:
    """Tell whether another try may end otherwise."""
    if isinstance(error, Refusal):
        return error.status in PASSING and error.code not in LASTING
    return isinstance(error, Unreachable)
