"""Metrics of turns: outcomes, tokens, latencies, and the last hour by the minute.

They are summed over all partitions. These are read one after the other, so a sum may be off by a
turn.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chat.settings import chat_settings
from chat.store import counters, keys
from chat.store.client import execute_commands
from chat.store.routing import Command
from chat.store.server_info import parse_time

# Upper bounds of the latency buckets, as in `lua/lib/counters.lua`. The last bucket has none.
BUCKETS_MS = (
    *(5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
    *(60_000, 120_000, 300_000, 900_000),
)
GAUGES = ("sessions", "waiting", "running", "accepted")
WEBHOOK_OUTCOMES = ("delivered", "retried", "failed", "disabled")
WEBHOOK_GAUGES = tuple(f"webhook_{name}" for name in (*WEBHOOK_OUTCOMES, "skipped"))
LATENCIES = ("queue", "time_to_first_token", "turn")
# Length of the history.
MINUTES = 60


@dataclass(frozen=True, slots=True)
class Histogram:
    """A distribution of latencies."""

    # Values per bucket, in the order of `BUCKETS_MS`; the last one counts larger values.
    counts: tuple[int, ...]
    # The sum of all values; 0 in the last hour's histograms, which have no sum.
    sum_seconds: float = 0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile(self, fraction: float) -> float | None:
        """Return an estimate of a quantile in seconds, or `None` for an empty histogram.

        It assumes that values are spread evenly within a bucket. Values in the last bucket count as
        its lower bound.
        """
        target, seen, lower = fraction * self.count, 0, 0
        for upper, count in zip(BUCKETS_MS, self.counts, strict=False):
            if count and seen + count >= target:
                return (lower + (upper - lower) * (target - seen) / count) / 1000
            seen, lower = seen + count, upper
        return lower / 1000 if self.count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Gauges of now, and counters since Redis was empty."""

    # Seconds since the epoch, by Redis's clock.
    now: float
    sessions: int
    queued_turns: int
    running_turns: int
    accepted_turns: int
    # How long the session that has waited longest has been without a worker.
    oldest_wait_seconds: float
    # Finished turns by status and model; the model is "" if none was called.
    turns: Mapping[tuple[str, ...], int]
    # Tokens by kind (prompt, completion, and cached: a part of prompt) and model.
    tokens: Mapping[tuple[str, ...], int]
    # Failed turns by error code.
    errors: Mapping[str, int]
    # Turns that went back to the session queue, by the reason why they wait.
    requeues: Mapping[str, int]
    # Turns whose worker did not renew its lease in time.
    lost_leases: int
    # Attempts by outcome (`WEBHOOK_OUTCOMES`).
    webhook_attempts: Mapping[str, int]
    # Deliveries that were postponed, because their receiver had timed out.
    skipped_deliveries: int
    pending_deliveries: int
    # Histograms by name (`LATENCIES`).
    latencies: Mapping[str, Histogram]
    # Turns that ended in each minute of the last hour, by status, oldest first. The last minute is
    # not complete.
    ended_by_minute: Mapping[str, tuple[int, ...]]
    # The same for the last 50 to 60 minutes.
    latencies_last_hour: Mapping[str, Histogram]


def read() -> Metrics:
    """Read all metrics in one round trip, after those that this process has not written yet.

    Raises:
        StoreUnavailable
    """
    counters.write()
    commands: list[Command] = [("TIME",)]
    for partition in range(chat_settings.PARTITIONS):
        commands += [
            ("HMGET", keys.counts(partition), *GAUGES, *WEBHOOK_GAUGES),
            ("ZCARD", keys.outbox(partition)),
            ("ZRANGE", keys.waiting(partition), 0, 0, "WITHSCORES"),
            ("HGETALL", keys.counters(partition)),
            ("HGETALL", keys.last_hour(partition)),
        ]
    time, *replies = execute_commands(commands)
    return _metrics(parse_time(time), replies)


def _metrics(now: float, replies: list[Any]) -> Metrics:
    counts, pending, oldest, totals_by_partition, last_hours = (replies[i::5] for i in range(5))
    gauges = [sum(int(value or 0) for value in column) for column in zip(*counts, strict=True)]
    waiting_since = [float(first[1]) for first in oldest if first]
    totals = _sum_by_kind(totals_by_partition)
    last_hour = _LastHour(int(now) // 60)
    last_hour.add(last_hours)
    return Metrics(
        now=now,
        sessions=max(0, gauges[0]),
        queued_turns=max(0, gauges[1]),
        running_turns=max(0, gauges[2]),
        accepted_turns=gauges[3],
        oldest_wait_seconds=max(0.0, now - min(waiting_since) / 1000) if waiting_since else 0.0,
        turns=_by_model(totals["turns"]),
        tokens=_by_model(totals["tokens"]),
        errors=totals["errors"],
        requeues=totals["requeues"],
        lost_leases=totals["lost_leases"][""],
        webhook_attempts=dict(zip(WEBHOOK_OUTCOMES, gauges[len(GAUGES) : -1], strict=True)),
        skipped_deliveries=gauges[-1],
        pending_deliveries=sum(pending),
        latencies={name: _histogram(totals[name]) for name in LATENCIES},
        ended_by_minute={status: tuple(row) for status, row in last_hour.ended.items()},
        latencies_last_hour={name: _histogram(last_hour.latencies[name]) for name in LATENCIES},
    )


def _sum_by_kind(hashes: Iterable[Sequence[bytes]]) -> dict[str, Counter[str]]:
    """Sum counters over partitions, by their kind (the text before the colon) and the rest."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for counts in hashes:
        for name, count in zip(counts[::2], counts[1::2], strict=True):
            kind, _, rest = name.decode().partition(":")
            totals[kind][rest] += int(count)
    return totals


def _by_model(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    """Split names into a kind and a model, which is stored as JSON."""
    split = ((name.partition(":"), count) for name, count in counts.items())
    return {(kind, orjson.loads(model) or ""): count for (kind, _, model), count in split}


def _histogram(buckets: Mapping[str, int]) -> Histogram:
    counts = [buckets.get(str(bound), 0) for bound in BUCKETS_MS]
    return Histogram((*counts, buckets.get("inf", 0)), buckets.get("sum", 0) / 1000)


@dataclass
class _LastHour:
    """Sums of the last hour. Redis may still have older entries; they are ignored."""

    # The current one, in minutes since the epoch.
    minute: int
    ended: dict[str, list[int]] = field(default_factory=dict)
    latencies: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in LATENCIES}
    )

    def add(self, hashes: Iterable[Sequence[bytes]]) -> None:
        """Add the counters of partitions, whose names begin with a minute."""
        for counts in hashes:
            for name, count in zip(counts[::2], counts[1::2], strict=True):
                minute, _, rest = name.decode().partition(":")
                position = MINUTES - 1 - (self.minute - int(minute))
                if 0 <= position < MINUTES:
                    self._add_counter(rest, position, int(count))

    def _add_counter(self, name: str, position: int, count: int) -> None:
        kind, is_latency, bucket = name.partition(":")
        if not is_latency:
            self.ended.setdefault(kind, [0] * MINUTES)[position] += count
        elif kind in self.latencies:
            self.latencies[kind][bucket] += count
