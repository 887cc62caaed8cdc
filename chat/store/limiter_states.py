"""The states of the models' limiters, for staff and metrics."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any
from urllib.parse import unquote

import orjson

from chat.domain import CallResult, Model, PartyClass, WaitReason
from chat.store import keys
from chat.store.client import execute_commands
from chat.store.routing import Command

# The parties that are listed.
MAX_PARTIES = 10
CLASSES = tuple(PartyClass)
COMMANDS = 6
COUNTERS = (
    *(f"waits:{each}" for each in CLASSES),
    *(f"waited_ms:{each}" for each in CLASSES),
    *(f"trials:{result}" for result in CallResult),
    "capped_retry_afters",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyState:
    """A party that has slots of a model, or whose calls are blocked."""

    party_class: str
    party: str
    calls_in_flight: int
    # Calls to which the model has sent nothing yet.
    silent_calls: int
    # The most silent calls that it may have while other parties are active; 0 for no limit.
    max_silent_calls: int
    # Seconds for which its calls are blocked, and why, a `WaitReason`; empty if they are not.
    blocked_for: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """The state of a model's limiters."""

    model: str
    # Seconds for which calls are blocked, by an open circuit or by the vendor's Retry-After.
    blocked_for: float
    # Why calls are blocked, a `WaitReason`; empty if they are not.
    reason: str
    # When they were blocked first without a success since, seconds since the epoch; 0 if unknown.
    blocked_since: float
    # Sessions with failed calls since the last success, up to the number that opens the circuit.
    failures: int
    # Trials are next or in flight: they decide whether the circuit closes.
    is_half_open: bool
    # Slots in use; 0 for a model without a concurrency limit.
    calls_in_flight: int
    # A session waits with one turn at most.
    waiting_sessions: int
    # Parties with sessions that wait.
    waiting_parties: int
    # Parties whose circuit is open, or that a Retry-After blocks.
    blocked_parties: int
    # Those with most slots first, then those that are blocked.
    parties: Sequence[PartyState]
    # Counters by name, since the limiter was last unused: `COUNTERS`.
    counters: Mapping[str, int]

    @property
    def is_open(self) -> bool:
        return self.blocked_for > 0

    @property
    def is_degraded(self) -> bool:
        """Return whether calls of the model, or of one of its parties, are blocked."""
        return self.is_open or self.is_half_open or self.blocked_parties > 0


def read(models: Iterable[Model], *, now: float) -> list[LimiterState]:
    """Return the states of the models' limiters at `now`, seconds since the epoch; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    listed = list(models)
    commands: list[Command] = []
    for model in listed:
        limiter = keys.limiter(model.name)
        commands += [
            ("HMGET", limiter.limiter, *COUNTERS),
            ("HGETALL", limiter.health),
            ("ZRANGE", limiter.slots, f"({1000 * now}", "+inf", "BYSCORE", "WITHSCORES"),
            ("HLEN", limiter.places),
            *(("ZLEXCOUNT", limiter.queue, f"[{each}|", f"({each}}}") for each in CLASSES),
        ]
    replies = execute_commands(commands)
    return [
        _state(model, *replies[COMMANDS * i : COMMANDS * (i + 1)], now=1000 * now)
        for i, model in enumerate(listed)
    ]


def _state(
    model: Model,
    counters: Sequence[bytes | None],
    health: Sequence[bytes],
    slots: Sequence[bytes],
    waiting_sessions: int,
    *waiting_parties: int,
    now: float,
) -> LimiterState:
    healths = {node.decode(): orjson.loads(each) for node, each in _pairs(health)}
    own = healths.pop("model", {})
    blocked_for, reason = _blocked(own, now)
    parties = {node: each for node, each in healths.items() if node.count(" ") == 1}
    return LimiterState(
        model=model.name,
        blocked_for=blocked_for,
        reason=reason,
        blocked_since=own.get("blocked_at", 0) / 1000,
        failures=len(own.get("failing", ())),
        is_half_open="opened" in own and not blocked_for,
        calls_in_flight=len(slots) // 2,
        waiting_sessions=waiting_sessions,
        waiting_parties=sum(waiting_parties),
        blocked_parties=sum(_blocked(each, now)[0] > 0 for each in parties.values()),
        parties=_parties(model, parties, slots, now),
        counters={name: int(count or 0) for name, count in zip(COUNTERS, counters, strict=True)},
    )


def _parties(
    model: Model,
    healths: Mapping[str, Mapping[str, Any]],
    slots: Sequence[bytes],
    now: float,
) -> list[PartyState]:
    held: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for caller, lease_until in _pairs(slots):
        node = " ".join(caller.decode().split(" ")[:2])
        held[node] += 1
        silent[node] += float(lease_until) % 1 == 0
    blocked = [node for node, health in healths.items() if _blocked(health, now)[0]]
    nodes = sorted({*held, *blocked}, key=lambda node: (-held[node], node))
    return [
        _party(model, node, healths.get(node, {}), held=held[node], silent=silent[node], now=now)
        for node in nodes[:MAX_PARTIES]
    ]


def _party(
    model: Model, node: str, health: Mapping[str, Any], *, held: int, silent: int, now: float
) -> PartyState:
    party_class, _, party = node.partition(" ")
    blocked_for, reason = _blocked(health, now)
    half = ceil(model.concurrency / 2)
    return PartyState(
        party_class=party_class,
        party=unquote(party),
        calls_in_flight=held,
        silent_calls=silent,
        max_silent_calls=max(1, half // 2 ** int(health.get("halvings", 0))) if half else 0,
        blocked_for=blocked_for,
        reason=reason,
    )


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _blocked(health: Mapping[str, Any], now: float) -> tuple[float, str]:
    """Return the seconds for which calls are blocked, and why."""
    ends = ("open_until", "retry_after_until")
    open_ms, retry_after_ms = (max(0, health.get(each, 0) - now) for each in ends)
    if not open_ms and not retry_after_ms:
        return 0.0, ""
    is_open = open_ms >= retry_after_ms
    reason = WaitReason.CIRCUIT if is_open else health["retry_after_reason"]
    return max(open_ms, retry_after_ms) / 1000, reason
