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

BOUNDS = (
    *(5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
    *(60_000, 120_000, 300_000, 900_000),
)
"""Upper bounds of the buckets of latencies, ms, as in `lua/lib/counters.lua`; one more is above."""
GAUGES = ("sessions", "waiting", "running", "accepted")
TRIES = ("delivered", "retried", "failed", "disabled")
"""What came of tries at deliveries to webhooks, as the scripts count it."""
LATENCIES = ("queue", "time_to_first_token", "turn")
HOUR = 60
"""Minutes."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long."""

    counts: tuple[int, ...]
    """By bucket: up to each of `BOUNDS`, in order, and above."""
    total: float = 0
    """Seconds, all together; 0 where they are not added up."""

    @property
    def count(self) -> int:
        """How often."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """Return about how many seconds that share took at most; `None` if there was nothing.

        Within a bucket things are taken to be spread evenly, and above the last to be at its bound.
        """
        wanted, seen, floor = share * self.count, 0, 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            if count and seen + count >= wanted:
                return (floor + (bound - floor) * (wanted - seen) / count) / 1000
            seen, floor = seen + count, bound
        return floor / 1000 if self.count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What has happened since Redis was empty, and how it stands."""

    now: float
    """Seconds since the epoch, by Redis's clock."""
    sessions: int
    waiting: int
    """Turns; so are the running ones."""
    running: int
    accepted: int
    oldest_wait: float
    """Seconds for which the session that waits longest has been without a worker."""
    turns: Mapping[tuple[str, ...], int]
    """By outcome and model; the model is "" when none was asked."""
    tokens: Mapping[tuple[str, ...], int]
    """By kind (prompt, completion) and model."""
    errors: Mapping[str, int]
    """Turns that ended by an error, by its code."""
    restarts: Mapping[str, int]
    """Times that a turn was put back into its inbox, by the reason for which it waits there."""
    lost: int
    """Times that a running turn's worker was silent for longer than its lease."""
    webhook_tries: Mapping[str, int]
    """Tries at deliveries to webhooks by what came of them, of `TRIES`."""
    webhooks_waiting: int
    """Deliveries that are pending."""
    latencies: Mapping[str, Histogram]
    """By name, of `LATENCIES`."""
    minutes: Mapping[str, tuple[int, ...]]
    """Ends by outcome and minute: the last hour, oldest first; the last minute is not over."""
    latencies_of_hour: Mapping[str, Histogram]
    """Of the last 50 to 60 minutes."""


def read() -> Tally:
    """Read all that is counted; one round trip.

    Raises:
        StoreUnavailable
    """
    pipeline: Any = client().pipeline(transaction=False)
    pipeline.time()
    for tag in range(chat_settings.PARTITIONS):
        pipeline.hmget(keys.counts(tag), *GAUGES, *(f"webhook_{name}" for name in TRIES))
        pipeline.zcard(keys.outbox(tag))
        pipeline.zrange(keys.waiting(tag), 0, 0, withscores=True)
        pipeline.hgetall(keys.counters(tag))
        pipeline.hgetall(keys.last_hour(tag))
    with map_errors():
        (seconds, microseconds), *answers = pipeline.execute()
    now = seconds + microseconds / 1_000_000
    return _tally(now, answers)


def _tally(now: float, answers: list[Any]) -> Tally:
    counts, pending, oldest, tallies, recents = (answers[place::5] for place in range(5))
    gauges = [sum(int(each or 0) for each in column) for column in zip(*counts, strict=True)]
    since = [first[0][1] for first in oldest if first]
    ever = _split(tallies)
    recent = _Recent(int(now) // 60)
    recent.take(recents)
    return Tally(
        now=now,
        sessions=max(0, gauges[0]),
        waiting=max(0, gauges[1]),
        running=max(0, gauges[2]),
        accepted=gauges[3],
        oldest_wait=max(0.0, now - min(since) / 1000) if since else 0.0,
        turns=_by_model(ever["turns"]),
        tokens=_by_model(ever["tokens"]),
        errors=ever["errors"],
        restarts=ever["requeues"],
        lost=ever["lost_leases"][""],
        webhook_tries=dict(zip(TRIES, gauges[len(GAUGES) :], strict=True)),
        webhooks_waiting=sum(pending),
        latencies={name: _histogram(ever[name]) for name in LATENCIES},
        minutes={outcome: tuple(row) for outcome, row in recent.minutes.items()},
        latencies_of_hour={name: _histogram(recent.latencies[name]) for name in LATENCIES},
    )


def _split(hashes: Iterable[Mapping[bytes, bytes]]) -> dict[str, Counter[str]]:
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
    counts = [buckets.get(str(bound), 0) for bound in BOUNDS]
    return Histogram((*counts, buckets.get("inf", 0)), buckets.get("sum", 0) / 1000)


@dataclass
class _Recent:
    """The last hour, being put together. What is older lies about until it is forgotten."""

    minute: int
    """The one that is not over, minutes since the epoch."""
    minutes: dict[str, list[int]] = field(default_factory=dict)
    latencies: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in LATENCIES}
    )

    def take(self, hashes: Iterable[Mapping[bytes, bytes]]) -> None:
        """Add what the partitions tell."""
        for each in hashes:
            for name, count in each.items():
                minute, _, what = name.decode().partition(":")
                place = HOUR - 1 - (self.minute - int(minute))
                if 0 <= place < HOUR:
                    self._add(what, place, int(count))

    def _add(self, what: str, place: int, count: int) -> None:
        kind, is_latency, bucket = what.partition(":")
        if is_latency:
            self.latencies[kind][bucket] += count
        else:
            self.minutes.setdefault(kind, [0] * HOUR)[place] += count
