"""Which errors are retried, when and for how long."""

import random
import time

from parley_client.errors import APIConnectionError, APIStatusError, ParleyError

RETRYABLE_STATUSES = frozenset({408, 429, 502, 503, 504})
# Codes with a retryable status that waiting does not resolve.
PERMANENT_CODES = frozenset({"session_full"})
# Seconds of the first delay; it doubles, with jitter, so that clients do not retry in lockstep.
INITIAL_DELAY = 0.1
# Seconds; `Retry-After` may ask for longer delays.
MAX_DELAY = 2.0


class Backoff:
    """Exponential backoff, limited to `retry_timeout` seconds after construction."""

    def __init__(self, retry_timeout: float) -> None:
        self._deadline = time.monotonic() + retry_timeout
        self._delay = INITIAL_DELAY

    def wait(self, error: ParleyError) -> None:
        """Sleep until the next attempt: for `Retry-After`, or for the backoff delay.

        Raises:
            ParleyError: the given error, if it is permanent or the deadline would pass.
        """
        if not is_retryable(error):
            raise error
        retry_after = error.retry_after if isinstance(error, APIStatusError) else None
        jitter = random.uniform(0.5, 1)  # noqa: S311
        delay = self._delay * jitter if retry_after is None else retry_after
        if time.monotonic() + delay > self._deadline:
            raise error
        self._delay = min(MAX_DELAY, self._delay * 2)
        time.sleep(delay)


def is_retryable(error: ParleyError) -> bool:
    """Return whether another attempt may succeed."""
    if isinstance(error, APIStatusError):
        return error.status in RETRYABLE_STATUSES and error.code not in PERMANENT_CODES
    return isinstance(error, APIConnectionError)
