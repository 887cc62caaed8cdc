"""Counters of the metrics that a worker collects, and writes to Redis once a second.

The scripts of a turn return what they count (`lua/lib/counters.lua`). In Redis, each of these
counters would cost a command. A killed worker loses what it has counted since its last write.
"""

from collections import Counter, deque

from chat.domain.errors import ParleyError
from chat.store import keys
from chat.store.calls import Steps, send, store_call
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, read_script

# The metrics are sums over all partitions, so any of them will do.
PARTITION = 0

# What this process has counted and not written yet: lines of `<increment> <field>`. Threads share
# it.
_collected: deque[bytes] = deque()


def collect(lines: bytes) -> None:
    """Count what a script has returned."""
    _collected.append(lines)


def drain() -> Counter[bytes]:
    """Return what was counted, by field, and start again."""
    counts: Counter[bytes] = Counter()
    while _collected:
        for line in _collected.popleft().splitlines():
            increment, _, field = line.partition(b" ")
            counts[field] += int(increment)
    return counts


@store_call
def write() -> Steps[None]:
    """Add what this process has counted to the counters in Redis; one round trip, or none.

    Raises:
        StoreUnavailable: Redis did not answer. The next call writes the same counters again; those
            of this call count twice if only its reply was lost.
    """
    counts = drain()
    if not counts:
        return
    names = [keys.counters(PARTITION), keys.last_hour(PARTITION)]
    args: list[Arg] = [part for pair in counts.items() for part in pair]
    try:
        yield from send(ScriptCall(read_script("add_counters"), names, args))
    except ParleyError:
        collect(b"\n".join(b"%d %b" % (count, field) for field, count in counts.items()))
        raise
