"""The limits on queued turns: of the whole deployment, of one party, and of all addresses together.

A party may have a third as many queued turns as there are free places. So if n parties have their
share, each has 1 / (n + 3) of the queue. All clients without API key or JWT together may have as
many as there are free places, so half of the queue. Neither a few parties nor thousands of
addresses can fill the queue.

A script sees the queue of one partition. Each process therefore sums the queues of all partitions
once a second, and counts the turns that it has accepted since. While the limit is reached, it sums
them ten times a second. So a limit can be exceeded by what other processes accept in a second.
"""

from collections import Counter
from time import monotonic

from redis.exceptions import RedisError

from chat.domain.identity import ADDRESS_PREFIX
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, send_all

# Seconds until the queues are summed again, and while the limit is reached.
REFRESH_INTERVAL = 1.0
REFRESH_INTERVAL_WHEN_FULL = 0.1
# A party may have the number of free places divided by this, but not less than the minimum.
PARTY_SPREAD = 3
MIN_SHARE = 50
# The member of the zsets that counts all addresses, whose parties start with it.
ALL_ADDRESSES = ADDRESS_PREFIX
# The parties with most queued turns that are read of each partition. Any other party has less than
# this part (1 / TOP_PARTIES) of the queued turns of the partition.
TOP_PARTIES = 16


class QueueLimit:
    """The queued turns as this process knows them; threads share it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._total = 0
        self._by_party: Counter[str] = Counter()
        # Parties that have their share.
        self._full: frozenset[str] = frozenset()
        # When the total was read, by the monotonic clock.
        self._read_at = float("-inf")

    def count(self, party: str) -> None:
        """Count a turn that this process has accepted."""
        if chat_settings.PARTITIONS == 1:
            return  # the script sees all queued turns
        self._total += 1
        counted = [party, ALL_ADDRESSES] if party.startswith(ALL_ADDRESSES) else [party]
        self._by_party.update(counted)
        self._full |= {each for each in counted if self._has_share(each)}

    @property
    def min_share(self) -> int:
        """How many queued turns a party may always have."""
        return MIN_SHARE

    def full_parties(self) -> frozenset[str]:
        """Return the parties that have their share of the queued turns of all partitions."""
        return self._full

    def max_per_partition(self) -> Steps[int]:
        """Return how many queued turns a partition may have: all that are allowed, or none.

        One round trip in a second, at most; two while an eighth of the allowed turns is queued.

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
            yield from self._refresh()
        return 0 if self._total >= limit else limit

    def _refresh(self) -> Steps[None]:
        self._total = yield from _sum_queues()
        # With fewer, no party can have half of its share.
        has_many = self._total >= self._share_of("") / 2
        self._by_party = (yield from _sum_parties()) if has_many else Counter()
        self._full = frozenset(filter(self._has_share, self._by_party))

    def _has_share(self, party: str) -> bool:
        return self._by_party[party] >= self._share_of(party)

    def _share_of(self, party: str) -> int:
        """Return how many queued turns a party may have now; as in `lua/lib/enqueue_turn.lua`."""
        free = chat_settings.MAX_QUEUED_TURNS - self._total
        return max(self.min_share, free if party == ALL_ADDRESSES else free // PARTY_SPREAD)


def _sum_queues() -> Steps[int]:
    partitions = range(chat_settings.PARTITIONS)
    replies = yield from send_all([("HGET", keys.counts(each), "waiting") for each in partitions])
    # A dead node of a Cluster must not stop the sessions of the others.
    numbers = (int(reply or 0) for reply in replies if not isinstance(reply, RedisError))
    return sum(max(0, number) for number in numbers)


def _sum_parties() -> Steps[Counter[str]]:
    """Return the queued turns of the parties that have most of them."""
    last = TOP_PARTIES - 1
    replies = yield from send_all(
        [
            ("ZREVRANGE", keys.waiting_by_party(each), 0, last, "WITHSCORES")
            for each in range(chat_settings.PARTITIONS)
        ]
    )
    total: Counter[str] = Counter()
    for reply in replies:
        if not isinstance(reply, RedisError):
            for party, number in zip(reply[::2], reply[1::2], strict=True):
                total[party.decode()] += int(float(number))
    return total


# The only one of this process.
queue_limit = QueueLimit()
