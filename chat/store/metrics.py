"""What the scripts have counted: turns, tokens, latencies, the last hour by the minute.

All of it is summed over the partitions, which are read one after the other: the sum is of the
moment of the reading, give or take a turn.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import client, map_errors

BUCKETS_MS = (
    *(5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
    *(60_000, 120_000, 300_000, 900_000),
)
"""Upper bounds of the buckets of latencies, ms, as in `lua/lib/counters.lua`; one more is above."""
GAUGES = ("sessions", "waiting", "running", "accepted")
WEBHOOK_OUTCOMES = ("delivered", "retried", "failed", "disabled")
"""What came of tries at deliveries to webhooks, as the scripts count it."""
LATENCIES = ("queue", "first_delta", "turn")
MINUTES = 60
"""Minutes."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long."""

    counts: tuple[int, ...]
    """By bucket: up to each of `BOUNDS`, in order, and above."""
    sum_seconds: float = 0
    """Seconds, all together; 0 where they are not added up."""

    @property
    def count(self) -> int:
        """How often."""
        return sum(self.counts)

    def quantile(self, fraction: float) -> float | None:
        """Return about how many seconds that share took at most; `None` if there was nothing.

        Within a bucket things are taken to be spread evenly, and above the last to be at its bound.
        """
        wanted, seen, floor = fraction * self.count, 0, 0
        for bound, count in zip(BUCKETS_MS, self.counts, strict=False):
            if count and seen + count >= wanted:
                return (floor + (bound - floor) * (wanted - seen) / count) / 1000
            seen, floor = seen + count, bound
        return floor / 1000 if self.count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What has happened since Redis was empty, and how it stands."""

    now: float
    """Seconds since the epoch, by Redis's clock."""
    sessions: int
    waiting_turns: int
    """Turns; so are the running ones."""
    running_turns: int
    accepted_turns: int
    oldest_wait_seconds: float
    """Seconds for which the session that waits longest has been without a worker."""
    turns: Mapping[tuple[str, ...], int]
    """By outcome and model; the model is "" when none was asked."""
    tokens: Mapping[tuple[str, ...], int]
    """By kind (prompt, completion) and model."""
    errors: Mapping[str, int]
    """Turns that ended by an error, by its code."""
    requeues: Mapping[str, int]
    """Times that a turn was put back into its inbox, by the reason for which it waits there."""
    lost_leases: int
    """Times that a running turn's worker was silent for longer than its lease."""
    webhook_attempts: Mapping[str, int]
    """Tries at deliveries to webhooks by what came of them, of `TRIES`."""
    pending_deliveries: int
    """Deliveries that are pending."""
    latencies: Mapping[str, Histogram]
    """By name, of `LATENCIES`."""
    ended_by_minute: Mapping[str, tuple[int, ...]]
    """Ends by outcome and minute: the last hour, oldest first; the last minute is not over."""
    latencies_last_hour: Mapping[str, Histogram]
    """Of the last 50 to 60 minutes."""


def read() -> Metrics:
    """Read all that is counted; one round trip.

    Raises:
        StoreUnavailable
    """
    pipeline: Any = client().pipeline(transaction=False)
    pipeline.time()
    for tag in range(chat_settings.PARTITIONS):
        pipeline.hmget(keys.counts(tag), *GAUGES, *(f"webhook_{name}" for name in WEBHOOK_OUTCOMES))
        pipeline.zcard(keys.outbox(tag))
        pipeline.zrange(keys.waiting(tag), 0, 0, withscores=True)
        pipeline.hgetall(keys.counters(tag))
        pipeline.hgetall(keys.last_hour(tag))
    with map_errors():
        (seconds, microseconds), *answers = pipeline.execute()
    now = seconds + microseconds / 1_000_000
    return _metrics(now, answers)


def _metrics(now: float, answers: list[Any]) -> Metrics:
    counts, pending, oldest, tallies, recents = (answers[place::5] for place in range(5))
    gauges = [sum(int(each or 0) for each in column) for column in zip(*counts, strict=True)]
    since = [first[0][1] for first in oldest if first]
    ever = _group_by_kind(tallies)
    recent = _LastHour(int(now) // 60)
    recent.add(recents)
    return Metrics(
        now=now,
        sessions=max(0, gauges[0]),
        waiting_turns=max(0, gauges[1]),
        running_turns=max(0, gauges[2]),
        accepted_turns=gauges[3],
        oldest_wait_seconds=max(0.0, now - min(since) / 1000) if since else 0.0,
        turns=_by_model(ever["turns"]),
        tokens=_by_model(ever["tokens"]),
        errors=ever["errors"],
        requeues=ever["restarts"],
        lost_leases=ever["lost"][""],
        webhook_attempts=dict(zip(WEBHOOK_OUTCOMES, gauges[len(GAUGES) :], strict=True)),
        pending_deliveries=sum(pending),
        latencies={name: _histogram(ever[name]) for name in LATENCIES},
        ended_by_minute={outcome: tuple(row) for outcome, row in recent.ended_by_minute.items()},
        latencies_last_hour={name: _histogram(recent.latencies[name]) for name in LATENCIES},
    )


def _group_by_kind(hashes: Iterable[Mapping[bytes, bytes]]) -> dict[str, Counter[str]]:
    """Return the counts by the first word of their names, and there by the rest."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in hashes:
        for name, count in each.items():
            kind, _, rest = name.decode().partition(":")
            found[kind][rest] += int(count)
    return found


def _by_model(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    """Return the counts by what stands before the model, which is JSON, and by the model."""
    split = ((name.partition(":"), count) for name, count in counts.items())
    return {(kind, orjson.loads(model) or ""): count for (kind, _, model), count in split}


def _histogram(buckets: Mapping[str, int]) -> Histogram:
    counts = [buckets.get(str(bound), 0) for bound in BUCKETS_MS]
    return Histogram((*counts, buckets.get("inf", 0)), buckets.get("sum", 0) / 1000)


@dataclass
class _LastHour:
    """The last hour, being put together. What is older lies about until it is forgotten."""

    minute: int
    """The one that is not over, minutes since the epoch."""
    ended_by_minute: dict[str, list[int]] = field(default_factory=dict)
    latencies: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in LATENCIES}
    )

    def add(self, hashes: Iterable[Mapping[bytes, bytes]]) -> None:
        """Add what the partitions tell."""
        for each in hashes:
            for name, count in each.items():
                minute, _, what = name.decode().partition(":")
                place = MINUTES - 1 - (self.minute - int(minute))
                if 0 <= place < MINUTES:
                    self._add_count(what, place, int(count))

    def _add_count(self, what: str, place: int, count: int) -> None:
        kind, is_latency, bucket = what.partition(":")
        if is_latency:
            self.latencies[kind][bucket] += count
        else:
            self.ended_by_minute.setdefault(kind, [0] * MINUTES)[place] += count
