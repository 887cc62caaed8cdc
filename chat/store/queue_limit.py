"""The limit on queued turns of the whole deployment.

A script sees the queue of one partition. Each process therefore sums the queues of all partitions
once a second, and counts the turns that it has accepted since. While the limit is reached, it sums
them ten times a second. So the limit can be exceeded by what other processes accept in a second.
"""

from time import monotonic

from redis.exceptions import RedisError

from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, ask_all

# Seconds until the queues are summed again, and while the limit is reached.
REFRESH_INTERVAL = 1.0
REFRESH_INTERVAL_WHEN_FULL = 0.1


class QueueLimit:
    """The queued turns as this process knows them; threads share it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the total."""
        self._total = 0
        # When the total was read, by the monotonic clock.
        self._read_at = float("-inf")

    def count(self) -> None:
        """Count a turn that this process has accepted."""
        self._total += 1

    def max_per_partition(self) -> Steps[int]:
        """Return how many queued turns a partition may have: all that are allowed, or none.

        One round trip in a second, at most.

        Raises:
            StoreUnavailable
        """
        limit = chat_settings.MAX_QUEUED_TURNS
        if chat_settings.PARTITIONS == 1:
            return limit
        is_full = self._total >= limit
        interval = REFRESH_INTERVAL_WHEN_FULL if is_full else REFRESH_INTERVAL
        if monotonic() - self._read_at >= interval:
            self._read_at = monotonic()  # other threads do not wait for this one
            self._total = yield from _sum_queues()
        return 0 if self._total >= limit else limit


def _sum_queues() -> Steps[int]:
    partitions = range(chat_settings.PARTITIONS)
    replies = yield from ask_all([("HGET", keys.counts(each), "waiting") for each in partitions])
    # A dead node of a Cluster must not stop the sessions of the others.
    numbers = (int(reply or 0) for reply in replies if not isinstance(reply, RedisError))
    return sum(max(0, number) for number in numbers)


# The only one of this process.
queue_limit = QueueLimit()
