"""Limits on calls to a model: rates, fair shares of its slots, and circuit breaker, in Redis.

All workers share them. The circuit breaker is Michael Nygard's ("Release It!"). It opens when calls
of several sessions failed and none succeeded in between. While it is open, all calls are blocked.
Then it is half-open: a few calls, the trials, decide whether it closes. Each party has a circuit;
the model's opens when several parties fail. The failures of one session never open one.

Sessions wait in a queue for each model. A slot that becomes free is promised to the waiter of the
party and owner that have used least, and its session is woken. `lua/lib/limiter/` has the rules.
A waiting session must also retry by itself in time, or it loses its place.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from chat.domain import CallResult, LimiterDelay, Model, ModelCaller, WaitReason
from chat.domain.rates import interval_and_burst
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, reply_or_raise, send, send_all, store_call
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, milliseconds, read_script

# A waiter that does not retry within this time loses its place. It retries after half of it,
# unless it is woken earlier.
WAITER_TTL_MS = 20_000
# The shortest time between two requests of a waiter for a slot.
MIN_POLL_MS = 100
# Keys of an unused limiter expire after this time, or after the longest turn.
STATE_TTL_MS = 600_000
# Replaces an infinite `max_wait`.
MAX_WAIT_MS = 1e15
# While a Retry-After blocks a model, one call per interval is a trial. The party or session that
# received the Retry-After may be the only one that the vendor limits.
TRIAL_INTERVAL_MS = 15_000
# The most waiters that one call of a script wakes.
MAX_WAKE_UPS = 100
# Characters of names that callers keep; scripts separate names by others.
SAFE_CHARACTERS = "/:.@+~"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How a call to a model ended."""

    result: CallResult
    # Seconds for which the vendor rejects calls, with `CallResult.RETRY_AFTER`. Other calls are
    # blocked for at most `CHAT_MAX_RETRY_AFTER` seconds.
    retry_after: float = 0.0
    # Why the vendor rejects them.
    reason: WaitReason = WaitReason.QUEUE
    # Seconds since the call began.
    duration: float = 0.0
    # Seconds since this worker last knew of a call that succeeded; `None` if it knows of none.
    last_success: float | None = None
    # Other parties for which this worker called the model lately, at most a few.
    other_parties: Sequence[ModelCaller] = ()


@store_call
def acquire(
    model: Model, caller: ModelCaller, *, tokens: int, max_wait: float = math.inf
) -> Steps[tuple[LimiterDelay | None, list[str]]]:
    """Acquire the right to call the model, and return the sessions to wake.

    The first value is `None`, or the delay until the next attempt. A session that must wait joins
    the queue, unless the delay exceeds `max_wait` or the session will use the model's fallback
    instead.

    tokens: estimate of the tokens in the prompt and the reply.
    max_wait: seconds after which the call is useless. The delay for a slot is an estimate, so
        it is shortened to fit.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    max_wait_ms = min(MAX_WAIT_MS, 1000 * max_wait)
    # Half of the remaining time: after that retry, there is time for a call.
    poll_ms = min(WAITER_TTL_MS / 2, max(MIN_POLL_MS, max_wait_ms / 2))
    args = (_name(caller), tokens, poll_ms, max_wait_ms, int(bool(model.fallback)))
    outcome, ms, reason, ahead, *waiters = yield from send(_call("acquire", model, *args))
    woken = [session_id.decode() for session_id in waiters]
    if outcome == b"ACQUIRED":
        return None, woken
    delay = LimiterDelay(seconds=ms / 1000, reason=WaitReason(reason.decode()), ahead=ahead)
    return delay, woken


@store_call
def release(model: Model, caller: ModelCaller, end: CallEnd) -> Steps[list[str]]:
    """Release a slot and record the result of its call; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer; the slot expires after `LEASE_TTL` seconds.
    """
    is_known = end.last_success is not None
    call = _call(
        "release",
        model,
        _name(caller),
        end.result,
        milliseconds(end.retry_after),
        end.reason,
        milliseconds(end.duration),
        milliseconds(end.last_success or 0) if is_known else -1,
        *(party_node(each) for each in end.other_parties),
    )
    return _session_ids((yield from send(call)))


@store_call
def record_success(model: Model, caller: ModelCaller) -> Steps[list[str]]:
    """Record that the model has started to answer a call; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    woken = yield from send(_call("record_success", model, _name(caller)))
    return _session_ids(woken)


@store_call
def unblock(model: Model) -> Steps[list[str]]:
    """Forget the Retry-After and failures of a model and its parties; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    woken = yield from send(_call("unblock", model))
    return _session_ids(woken)


@store_call
def leave_queue(models: Sequence[Model], session_id: str) -> Steps[list[str]]:
    """Remove a session without open turns from the queues; return the sessions to wake.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    calls = [_call("leave_queue", model, session_id) for model in models]
    session = keys.for_session(session_id).session
    counts = yield from send(("HMGET", session, "running_turn", "waiting"))
    if any(int(open_turns or 0) for open_turns in counts):
        return []
    replies = yield from send_all(calls)
    return [each for reply in replies for each in _session_ids(reply)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInFlight:
    """A call that this worker is making."""

    caller: ModelCaller
    # The model has sent nothing yet.
    is_silent: bool


@store_call
def refresh_slots(
    calls: Sequence[tuple[Model, Sequence[CallInFlight]]],
) -> Steps[tuple[set[str], list[str]]]:
    """Extend the leases of slots; return contended models, and the sessions to wake.

    One round trip. Sessions wait for a contended model. Sessions are woken when slots have expired
    because no worker extended their leases, or when their party may call again.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    scripts = [
        _call(
            "refresh_slots", model, *(f"{int(not c.is_silent)} {_name(c.caller)}" for c in running)
        )
        for model, running in calls
    ]
    replies = yield from send_all(scripts)
    pairs = [
        (model.name, reply)
        for (model, _), reply in zip(calls, replies, strict=True)
        if isinstance(reply, list)
    ]
    contended = {name for name, reply in pairs if reply[0]}
    return contended, [each for _, reply in pairs for each in _session_ids(reply[1:])]


@store_call
def degraded(models: Iterable[str]) -> Steps[set[str]]:
    """Return the models with failures, of any party, that no success has followed; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    names = list(models)
    replies = yield from send_all(
        [("HEXISTS", keys.limiter(name).limiter, "degraded") for name in names]
    )
    return {name for name, found in zip(names, replies, strict=True) if reply_or_raise(found)}


def party_node(caller: ModelCaller) -> str:
    """Return how scripts name the caller's party."""
    return f"{caller.party_class} {quote(caller.party, SAFE_CHARACTERS)}"


def shift_call(model: Model, step: int, since: int) -> ScriptCall:
    """Return the call that corrects the limiter's times after a step of the clock."""
    return _call("shift_limiter", model, step, since)


def _name(caller: ModelCaller) -> str:
    owner = quote(caller.owner, SAFE_CHARACTERS)
    return f"{party_node(caller)} {owner} {caller.session_id}"


def _call(script: str, model: Model, *args: Arg) -> ScriptCall:
    return ScriptCall(read_script(script), keys.limiter(model.name), (_limits(model), *args))


def _limits(model: Model) -> str:
    """Return ARGV[1] of the scripts."""
    interval, burst = interval_and_burst(model.requests_per_minute, burst_share=10)
    per_token, token_burst = interval_and_burst(model.tokens_per_minute, burst_share=4)
    longest = chat_settings.TURN_DEADLINE + chat_settings.MAX_RETRY_AFTER
    limits = {
        "max_calls": model.concurrency,
        "streams": int(model.stream),
        "lease": milliseconds(chat_settings.LEASE_TTL),
        "interval": interval,
        "burst": burst,
        "per_token": per_token,
        "token_burst": token_burst,
        "threshold": chat_settings.CIRCUIT_FAILURE_THRESHOLD,
        "reset": milliseconds(chat_settings.CIRCUIT_RESET_TIMEOUT),
        "max_retry_after": milliseconds(chat_settings.MAX_RETRY_AFTER),
        "trial_interval": TRIAL_INTERVAL_MS,
        "wake_ups": MAX_WAKE_UPS,
        "waiter_ttl": WAITER_TTL_MS,
        "ttl": max(STATE_TTL_MS, milliseconds(longest)),
    }
    return " ".join(f"{name}={value}" for name, value in limits.items())


def _session_ids(reply: Any) -> list[str]:
    """Return the session ids of a reply; none of an error."""
    return [session_id.decode() for session_id in reply] if isinstance(reply, list) else []
