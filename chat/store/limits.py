"""Limits on calls to a model: rate limiter, concurrency limiter and circuit breaker, in Redis.

All workers share them. The circuit breaker is Michael Nygard's ("Release It!"). It opens when calls
of several sessions failed and none succeeded in between. While it is open, all calls are blocked.
Then it is half open: one call, the probe, decides whether it closes. The failures of one session
never open it.

Sessions wait in a queue for each model. A waiting session must retry in time, or it loses its
place.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chat.domain import CallResult, LimiterDelay, Model, WaitReason
from chat.domain.rates import interval_and_burst
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, ask, ask_all, checked, store_call
from chat.store.client import execute_commands, map_redis_errors
from chat.store.routing import Command
from chat.store.scripts import ScriptCall, milliseconds, read_script

# A waiter that does not retry within this time loses its place. It retries after half of it,
# unless it is woken earlier.
WAITER_TTL_MS = 20_000
# The shortest time between two requests of a waiter for a slot.
MIN_POLL_MS = 100
# Keys of an unused limiter expire after this time.
STATE_TTL_MS = 600_000
# Replaces an infinite `max_wait`.
MAX_WAIT_MS = 1e15
# While a Retry-After blocks a model, one call per interval probes it. The session that received the
# Retry-After may be the only one that the vendor limits.
PROBE_INTERVAL_MS = 15_000
# The most waiters that one call wakes when it ends.
MAX_WAKE_UPS = 100


@store_call
def acquire(
    model: Model, session_id: str, *, tokens: int, max_wait: float = math.inf
) -> Steps[LimiterDelay | None]:
    """Acquire the right to call the model; return `None`, or the delay until the next attempt.

    A session that must wait joins the queue, unless the delay exceeds `max_wait` or the session
    will use the model's fallback instead.

    tokens: estimate of the tokens in the prompt and the reply.
    max_wait: seconds after which the call is useless. The delay for a slot is an estimate, so
        it is shortened to fit.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    max_wait_ms = min(MAX_WAIT_MS, 1000 * max_wait)
    call = ScriptCall(
        read_script("acquire"),
        keys.limiter(model.name),
        (
            session_id,
            milliseconds(chat_settings.LEASE_TTL),
            model.concurrency,
            *interval_and_burst(model.requests_per_minute, burst_share=10),
            *interval_and_burst(model.tokens_per_minute, burst_share=4),
            tokens,
            WAITER_TTL_MS,
            STATE_TTL_MS,
            # Half of the remaining time: after that retry, there is time for a call.
            min(WAITER_TTL_MS / 2, max(MIN_POLL_MS, max_wait_ms / 2)),
            max_wait_ms,
            int(bool(model.fallback)),
            PROBE_INTERVAL_MS,
        ),
    )
    reply = yield from ask(call)
    if reply[0] == b"ACQUIRED":
        return None
    return LimiterDelay(seconds=reply[1] / 1000, reason=WaitReason(reply[2].decode()))


@store_call
def release(
    model: Model,
    session_id: str,
    result: CallResult,
    *,
    retry_after: float = 0,
    reason: WaitReason = WaitReason.QUEUE,
) -> Steps[list[str]]:
    """Release a slot and record the result of its call; return the sessions to wake.

    retry_after: seconds for which the vendor rejects calls, with `CallResult.RETRY_AFTER`.
        Other calls are blocked for at most `CHAT_MAX_RETRY_AFTER` seconds.

    Raises:
        StoreUnavailable: Redis did not answer; the slot expires after `LEASE_TTL` seconds.
    """
    call = ScriptCall(
        read_script("release"),
        keys.limiter(model.name),
        (
            session_id,
            result,
            milliseconds(min(retry_after, chat_settings.MAX_RETRY_AFTER)),
            reason,
            chat_settings.CIRCUIT_FAILURE_THRESHOLD,
            milliseconds(chat_settings.CIRCUIT_RESET_TIMEOUT),
            model.concurrency,
            MAX_WAKE_UPS,
            STATE_TTL_MS,
            PROBE_INTERVAL_MS,
        ),
    )
    woken = yield from ask(call)
    return _session_ids([woken])


@store_call
def record_success(model: Model, session_id: str) -> Steps[list[str]]:
    """Record that the model has started to answer a call; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    call = ScriptCall(
        read_script("record_success"),
        keys.limiter(model.name),
        (model.concurrency, MAX_WAKE_UPS, session_id),
    )
    woken = yield from ask(call)
    return _session_ids([woken])


@store_call
def unblock(model: Model) -> Steps[list[str]]:
    """Forget the model's Retry-After and failures; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    call = ScriptCall(
        read_script("unblock"), keys.limiter(model.name), (model.concurrency, MAX_WAKE_UPS)
    )
    woken = yield from ask(call)
    return _session_ids([woken])


@store_call
def leave_queue(models: Sequence[Model], session_id: str) -> Steps[list[str]]:
    """Remove a session without open turns from the queues; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    calls = [
        ScriptCall(
            read_script("leave_queue"),
            keys.limiter(model.name),
            (session_id, model.concurrency, MAX_WAKE_UPS),
        )
        for model in models
    ]
    session = keys.for_session(session_id).session
    counts = yield from ask(("HMGET", session, "running_turn", "waiting"))
    if any(int(open_turns or 0) for open_turns in counts):
        return []
    replies = yield from ask_all(calls)
    return _session_ids(replies)


@store_call
def refresh_slots(sessions_by_model: Iterable[tuple[Model, Sequence[str]]]) -> Steps[list[str]]:
    """Extend the leases of slots and probes; return the sessions to wake. One round trip.

    Sessions are woken when slots have expired because no worker extended their leases.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    lease = milliseconds(chat_settings.LEASE_TTL)
    calls = [
        ScriptCall(
            read_script("refresh_slots"),
            keys.limiter(model.name),
            (lease, STATE_TTL_MS, model.concurrency, MAX_WAKE_UPS, *session_ids),
        )
        for model, session_ids in sessions_by_model
    ]
    replies = yield from ask_all(calls)
    return _session_ids(replies)


def _session_ids(replies: Iterable[Any]) -> list[str]:
    return [
        session_id.decode() for reply in replies if isinstance(reply, list) for session_id in reply
    ]


@store_call
def degraded(models: Iterable[str]) -> Steps[set[str]]:
    """Return the models that failed and have not succeeded since; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    names = list(models)
    replies = yield from ask_all(
        [("HMGET", keys.limiter(name).limiter, "failures", "blocked_until") for name in names]
    )
    return {name for name, fields in zip(names, replies, strict=True) if any(checked(fields))}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterState:
    """The state of a model's limiters."""

    model: str
    # Seconds for which calls are blocked, by an open circuit or by the vendor's Retry-After.
    blocked_for: float
    # Why calls are blocked, a `WaitReason`; empty if they are not.
    reason: str
    # Sessions with failed calls since the last success.
    failures: int
    # The next call is a probe, or one is in flight: it decides whether the circuit closes.
    is_half_open: bool
    # Slots in use; 0 for a model without a concurrency limit.
    calls_in_flight: int
    # A session waits with one turn at most.
    waiting_sessions: int

    @property
    def is_open(self) -> bool:
        return self.blocked_for > 0


def states(models: Iterable[str], *, now: float) -> list[LimiterState]:
    """Return the states of the models' limiters at `now`, seconds since the epoch; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    names = list(models)
    commands: list[Command] = []
    for name in names:
        state, slots, waiters, _ = keys.limiter(name)
        commands += [
            ("HMGET", state, "blocked_until", "blocked_reason", "failures", "half_open"),
            ("ZCOUNT", slots, 1000 * now, "+inf"),
            ("ZCOUNT", waiters, 1000 * now - WAITER_TTL_MS, "+inf"),
        ]
    with map_redis_errors():
        replies = execute_commands(commands)
    return [
        _state(name, fields, calls, waiting_sessions, now)
        for name, fields, calls, waiting_sessions in zip(
            names, replies[0::3], replies[1::3], replies[2::3], strict=True
        )
    ]


def _state(
    model: str, fields: list[bytes | None], calls: int, waiting_sessions: int, now: float
) -> LimiterState:
    blocked_until, reason, failures, half_open = fields
    blocked_for = max(0.0, int(float(blocked_until or 0)) / 1000 - now)
    return LimiterState(
        model=model,
        blocked_for=blocked_for,
        reason=(reason or b"").decode() if blocked_for else "",
        failures=int(failures or 0),
        is_half_open=bool(half_open) and not blocked_for,
        calls_in_flight=calls,
        waiting_sessions=waiting_sessions,
    )
