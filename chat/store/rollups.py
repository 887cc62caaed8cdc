"""Hourly rollups: the counters at the start of each hour of the last 30 days.

The counters only grow, so the difference of two copies is what happened in between. Workers store
one copy per hour; turns cost nothing more. Memory is bounded by the number of models and error
codes: about 1 kB per hour.
"""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import orjson

from chat.store import keys, metrics
from chat.store.client import execute_commands
from chat.store.metrics import Histogram, Metrics
from chat.store.routing import Command
from chat.store.server_info import parse_time

HOUR = 3600
# Hours that are kept.
HOURS = 30 * 24

# Name of a counter, in parts -> count: `("turns", status, model)`, `("tokens", kind, model)`,
# `("errors", code)` and `(latency, "<index of the bucket>")`.
Counts = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """What happened from one time to another."""

    # Seconds since the epoch; the start of an hour.
    start: int
    counts: Counts = field(default_factory=Counter)

    @property
    def hour(self) -> str:
        """The start in ISO 8601, UTC."""
        return f"{datetime.fromtimestamp(self.start, UTC):%Y-%m-%dT%H:%MZ}"

    def total(self, *name: str) -> int:
        """Return the sum of the counters whose names begin with these parts."""
        return sum(count for key, count in self.counts.items() if key[: len(name)] == name)

    def by(self, kind: str, part: int) -> Counter[str]:
        """Return the counters of a kind, summed by a part of their names."""
        sums: Counter[str] = Counter()
        for key, count in self.counts.items():
            if key[0] == kind:
                sums[key[part]] += count
        return sums

    def latency(self, name: str) -> Histogram:
        """Return the histogram of one of `metrics.LATENCIES`."""
        buckets = range(len(metrics.BUCKETS_MS) + 1)
        return Histogram(tuple(self.counts[name, str(bucket)] for bucket in buckets))


def record() -> float:
    """Store the counters if this hour has none yet; return the seconds until the next hour.

    One round trip, and two more once an hour. Several workers may do so: the first copy stays.

    Raises:
        StoreUnavailable, StoreFull
    """
    time, hours = execute_commands([("TIME",), ("HKEYS", keys.rollups())])
    now = parse_time(time)
    hour = int(now) // HOUR
    if str(hour).encode() not in hours:
        old = [each for each in map(int, hours) if not 0 <= hour - each <= HOURS]
        copy = zlib.compress(_serialize(_counts(metrics.read())))
        commands: list[Command] = [("HSETNX", keys.rollups(), hour, copy)]
        if old:
            commands.append(("HDEL", keys.rollups(), *old))
        execute_commands(commands)
    return HOUR - now % HOUR


def read(hours: int) -> list[Rollup]:
    """Return what happened in each of the last hours, oldest first; the last one is not complete.

    An hour in which no worker ran counts towards the one before it. Two round trips.

    Raises:
        StoreUnavailable
    """
    current = metrics.read()
    (stored,) = execute_commands([("HGETALL", keys.rollups())])
    this_hour = int(current.now) // HOUR
    copies = {int(hour): copy for hour, copy in zip(stored[::2], stored[1::2], strict=True)}
    copies = {hour: copies[hour] for hour in sorted(copies) if hour <= this_hour}
    totals = [(hour, _parse(copy)) for hour, copy in copies.items()]
    totals.append((this_hour + 1, _counts(current)))
    changes = {hour: after - before for (hour, before), (_, after) in pairwise(totals)}
    return [
        Rollup(start=hour * HOUR, counts=changes.get(hour, Counter()))
        for hour in range(this_hour - hours + 1, this_hour + 1)
    ]


def merge(rollups: Iterable[Rollup], size: int) -> list[Rollup]:
    """Return rollups of periods of `size` seconds, which begin at multiples of it."""
    merged: dict[int, Counts] = {}
    for rollup in rollups:
        merged.setdefault(rollup.start - rollup.start % size, Counter()).update(rollup.counts)
    return [Rollup(start=start, counts=counts) for start, counts in merged.items()]


def _counts(current: Metrics) -> Counts:
    counts: Counts = Counter()
    counts.update({("turns", *name): count for name, count in current.turns.items()})
    counts.update({("tokens", *name): count for name, count in current.tokens.items()})
    counts.update({("errors", code): count for code, count in current.errors.items()})
    for name, histogram in current.latencies.items():
        counts.update({(name, str(i)): count for i, count in enumerate(histogram.counts) if count})
    return counts


def _serialize(counts: Counts) -> bytes:
    return orjson.dumps([[*name, count] for name, count in counts.items()])


def _parse(copy: bytes) -> Counts:
    rows = orjson.loads(zlib.decompress(copy))
    return Counter({tuple(name): count for *name, count in rows})
