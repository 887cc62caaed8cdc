"""The gates of models: how many calls at once and a minute, and when none at all.

A gate is shared by all workers. The circuit is Michael Nygard's circuit breaker ("Release It!"):
when the calls of so many callers have failed, and nobody's has been answered in between, no call
passes for a while; then one probe decides. One caller, whatever it asks, opens no circuit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chat.domain import CallEnd, GateWait, Model, WaitReason
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import ScriptCall, read_script, run_pipeline, run_script

MINUTE = 60_000
"""Milliseconds."""
LOOK = 20_000
"""Milliseconds after which a silent waiter has lost its place; uncalled, it comes in half of it."""
SOON = 100
"""Milliseconds after which the most hurried waiter for a slot comes again."""
MEMORY = 600_000
"""Milliseconds after which a gate at which nothing moves is forgotten."""
FOR_EVER = 1e15
"""Milliseconds within which any call is of use."""
WOKEN = 100
"""Most waiters that one leaving call wakes."""


def enter(model: Model, caller: str, *, tokens: int, within: float = math.inf) -> GateWait | None:
    """Pass the model's gate, or learn when to come again.

    caller: who calls, a session id; tokens: about what prompt and reply will take.
    within: seconds in which the call is of use; nobody knows when a slot comes free, so who waits
    for one is not told to come only after them. Who would come too late, or has a fallback that is
    asked instead, is no waiter: nobody is behind him.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    request = ScriptCall(
        read_script("enter"),
        keys.limiter(model.name),
        (
            caller,
            round(1000 * chat_settings.LEASE_TTL),
            model.concurrency,
            *pace(model.requests_per_minute, share=10),
            *pace(model.tokens_per_minute, share=4),
            tokens,
            LOOK,
            MEMORY,
            min(LOOK / 2, max(SOON, 500 * within)),
            min(FOR_EVER, 1000 * within),
            int(bool(model.fallback)),
        ),
    )
    with map_errors():
        words = run_script(client(), request)
    if words[0] == b"PASS":
        return None
    return GateWait(seconds=words[1] / 1000, reason=WaitReason(words[2].decode()))


def leave(
    model: Model, caller: str, end: CallEnd, *, held: float = 0, why: WaitReason = WaitReason.QUEUE
) -> Sequence[str]:
    """Say that a call is over and how; return the callers whose turn it is now.

    held: seconds for which the vendor wants no call.

    Raises:
        StoreUnavailable: Redis gave no answer; the slot frees itself after `LEASE` seconds.
    """
    request = ScriptCall(
        read_script("leave"),
        keys.limiter(model.name),
        (
            caller,
            end,
            round(1000 * held),
            why,
            chat_settings.CIRCUIT_FAILURE_THRESHOLD,
            round(1000 * chat_settings.CIRCUIT_RESET_TIMEOUT),
            model.concurrency,
            WOKEN,
            MEMORY,
        ),
    )
    with map_errors():
        return [caller.decode() for caller in run_script(client(), request)]


def hear(model: Model) -> Sequence[str]:
    """Say that the model has begun to answer a call; return the callers whose turn it is now.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    request = ScriptCall(read_script("hear"), keys.limiter(model.name), (model.concurrency, WOKEN))
    with map_errors():
        return [caller.decode() for caller in run_script(client(), request)]


def step_aside(models: Sequence[Model], caller: str) -> list[str]:
    """Take a session without open turns out of the lines; return the callers whose turn it is now.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    calls = [
        ScriptCall(
            read_script("step_aside"), keys.limiter(model.name), (caller, model.concurrency, WOKEN)
        )
        for model in models
    ]
    with map_errors():
        found = client().hmget(keys.for_session(caller).session, "turn", "waiting")
        if any(int(open_turns or 0) for open_turns in found):
            return []
        return _waiters(run_pipeline(client(), calls))


def _waiters(answers: Iterable[Any]) -> list[str]:
    return [
        waiter.decode() for waiters in answers if isinstance(waiters, list) for waiter in waiters
    ]


def hold(callers: Iterable[tuple[Model, Sequence[str]]]) -> list[str]:
    """Give a sign of life for slots that calls hold, and for probes, by model; one round trip.

    Return the callers whose turn it is now that slots have come free of which nobody gave one.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    lease = round(1000 * chat_settings.LEASE_TTL)
    calls = [
        ScriptCall(
            read_script("hold"),
            keys.limiter(model.name),
            (lease, MEMORY, model.concurrency, WOKEN, *held),
        )
        for model, held in callers
    ]
    with map_errors():
        return _waiters(run_pipeline(client(), calls))


def troubled(models: Iterable[str]) -> set[str]:
    """Return the models whose gate has seen a failure and not yet a success; one round trip.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    names = list(models)
    pipeline = client().pipeline(transaction=False)
    for name in names:
        pipeline.hmget(keys.limiter(name)[0], "failures", "closed")
    with map_errors():
        found = pipeline.execute()
    return {name for name, fields in zip(names, found, strict=True) if any(fields)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """How a model's gate stands."""

    model: str
    closed_for: float
    """Seconds until a call may pass; 0 when one may now."""
    why: str
    """Of a closed gate: a `WaitReason`."""
    failures: int
    """Callers whose calls have failed since the model was last heard."""
    is_probing: bool
    """One call decides whether the circuit closes again."""
    calls: int
    """Slots taken; 0 for a model without a bound on calls at once."""
    waiting: int
    """Turns that have been told to come again."""


def states(models: Iterable[str], *, now: float) -> list[GateState]:
    """Return how the models' gates stand at `now`, seconds since the epoch; one round trip.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    names = list(models)
    pipeline = client().pipeline(transaction=False)
    for name in names:
        gate, slots, line, _ = keys.limiter(name)
        pipeline.hmget(gate, "closed", "why", "failures", "half")
        pipeline.zcount(slots, 1000 * now, "+inf")
        pipeline.zcount(line, 1000 * now - LOOK, "+inf")
    with map_errors():
        found = pipeline.execute()
    return [
        _state(name, fields, calls, waiting, now)
        for name, fields, calls, waiting in zip(
            names, found[0::3], found[1::3], found[2::3], strict=True
        )
    ]


def _state(
    model: str, fields: list[bytes | None], calls: int, waiting: int, now: float
) -> GateState:
    closed, why, failures, half = fields
    closed_for = max(0.0, int(float(closed or 0)) / 1000 - now)
    return GateState(
        model=model,
        closed_for=closed_for,
        why=(why or b"").decode() if closed_for else "",
        failures=int(failures or 0),
        is_probing=bool(half) and not closed_for,
        calls=calls,
        waiting=waiting,
    )


def pace(per_minute: int, *, share: int) -> tuple[float, int]:
    """Return ms between two and how many may come at once: that `share` of a minute's.

    The steady rate is so much less that no minute sees more than `per_minute`, its burst included.
    """
    burst = max(1, per_minute // share)
    steady = max(1, per_minute - burst)
    return (MINUTE / steady if per_minute else 0), burst
