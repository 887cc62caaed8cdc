"""What workers do with turns: claim, append, renew, finish, retry.

Every call after `claim` carries the lease. A worker that has lost its lease writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from redis.exceptions import RedisError

from chat.domain import (
    NO_CHARGE,
    Charge,
    Claim,
    Context,
    Delta,
    FinishResult,
    HistoryMessage,
    Identity,
    Lease,
    Options,
    Outcome,
    PromptMessage,
    Retry,
    Usage,
)
from chat.domain.errors import LeaseLost
from chat.settings import chat_settings
from chat.store import budgets, counters
from chat.store.calls import Steps, reply_or_raise, send, send_all, store_call
from chat.store.client import is_programming_error, unavailable
from chat.store.clock import redis_clock
from chat.store.message_json import ROLES, parse_message, parse_parts
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, milliseconds, script_call, script_error

# Message numbers of a history that a claim reads: of 2,500 turns. Redis serves no other client
# during this time, about 30 ms.
MAX_NUMBERS = 5_000
# Members of stored JSON objects that this version knows.
KNOWN_FIELDS = {kind: {field.name for field in fields(kind)} for kind in (Context, Options)}


@store_call
def claim(session_id: str, *, nonce: str, worker: str, max_tokens: int) -> Steps[Claim | None]:
    """Claim the session's next turn; `None` if there is none, or another worker has the lease.

    nonce: random, so that the same call, sent again, gets the same claim. max_tokens: of the
    history, at least as many as any model takes; more may be returned.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    call = script_call(
        "claim",
        session_id,
        nonce,
        worker,
        milliseconds(chat_settings.LEASE_TTL),
        Context().messages,
        max_tokens,
        MAX_NUMBERS,
        redis_clock.latest(),
    )
    result = yield from send(call)
    return _parse_claim(session_id, nonce, result) if result[0] == b"CLAIMED" else None


def _parse_claim(session_id: str, nonce: str, result: list[Any]) -> Claim:
    fence, turn, attempt, ms_left, system_prompt, context = result[1:7]
    identity, request_json, reply_json, has_more = result[7:11]
    reply = orjson.loads(reply_json)
    request = orjson.loads(request_json)
    return Claim(
        lease=Lease(session_id=session_id, fence=fence, nonce=nonce),
        turn=turn,
        reply_id=reply["id"],
        attempt=attempt,
        seconds_left=ms_left / 1000,
        model=reply["model"],
        system_prompt=orjson.loads(system_prompt) or "",
        instructions=request.get("instructions", ""),
        is_untruncated=request.get("is_untruncated", False),
        messages=[_parse_prompt_message(*each) for each in request.get("messages", ())],
        context=Context(**_known_fields(Context, orjson.loads(context))),
        options=_parse_options(request.get("options", {})),
        request_id=request.get("request_id", ""),
        traceparent=request.get("traceparent", ""),
        accepted_at=reply["created_at"],
        claimed_at=reply["started_at"],
        history=_parse_history(result[11:]),
        has_more=bool(has_more),
        identity=_parse_identity(identity),
    )


def _parse_identity(stored: bytes) -> Identity:
    tenant, user, api_key, addresses = stored.decode().split("\n")
    return Identity(tenant=tenant, user=user, api_key=api_key, addresses=tuple(addresses.split()))


def _parse_options(stored: dict[str, Any]) -> Options:
    known = _known_fields(Options, stored)
    return Options(**{**known, "stop": tuple(known.get("stop", ()))})


def _known_fields(kind: type[Context | Options], stored: dict[str, Any]) -> dict[str, Any]:
    """Drop the members that a newer version may have stored during a deploy."""
    return {name: value for name, value in stored.items() if name in KNOWN_FIELDS[kind]}


def _parse_history(messages: list[bytes]) -> list[HistoryMessage]:
    """Parse stored messages, the newest first; return the oldest first."""
    history = [parse_message(stored) for stored in orjson.loads(b"[%b]" % b",".join(messages))]
    return history[::-1]


def _parse_prompt_message(
    role: str, text: str, parts: Sequence[Mapping[str, Any]] = ()
) -> PromptMessage:
    return PromptMessage(ROLES[role], text, parse_parts(parts))


@store_call
def flush(writes: Sequence[tuple[Lease, Delta | None]]) -> Steps[list[bool | Exception]]:
    """Append the delta of each turn, or renew its lease if there is none; one round trip.

    Return for each whether its turn must be cancelled, or why nothing was written: `LeaseLost`,
    `SessionGone`, or `StoreUnavailable`, after which the same write can be repeated. Any other
    error is a programming error, and repeating the write does not help.
    """
    calls = [_append(lease, delta) if delta else _renew(lease) for lease, delta in writes]
    replies = yield from send_all(calls)
    return [_parse_flush(reply) for reply in replies]


def _append(lease: Lease, delta: Delta) -> ScriptCall:
    return _write("append", lease, delta.offset, delta.escaped, delta.prompt_tokens)


def _renew(lease: Lease) -> ScriptCall:
    return _write("renew", lease)


def _write(name: str, lease: Lease, *args: Arg) -> ScriptCall:
    lease_ms = milliseconds(chat_settings.LEASE_TTL)
    return script_call(name, lease.session_id, lease.fence, lease.nonce, lease_ms, *args)


def _parse_flush(reply: Any) -> bool | Exception:
    if isinstance(reply, RedisError):
        return reply if is_programming_error(reply) else unavailable(reply)
    if reply[0] in {b"APPENDED", b"RENEWED"}:
        for lines in reply[2:]:
            counters.collect(lines)
        return bool(reply[1])
    return script_error(reply) or LeaseLost()  # ALREADY: this claim has ended the turn


@store_call
def finish(
    lease: Lease, outcome: Outcome, delta: Delta, *, charge: Charge = NO_CHARGE
) -> Steps[FinishResult]:
    """Store the outcome of the turn; return what remains to do. The call can be repeated.

    delta: the last one. A reservation is settled in the same round trip, even if the lease is lost.

    Raises:
        LeaseLost, SessionGone: nothing was written.
        StoreUnavailable: Redis did not answer.
    """
    call = script_call(
        "finish",
        lease.session_id,
        lease.fence,
        lease.nonce,
        delta.offset,
        delta.escaped,
        outcome.status,
        orjson.dumps(outcome.model),
        _result_members(outcome),
        milliseconds(chat_settings.WAKE_GRACE),
        *_charge_args(charge),
    )
    result = yield from _send_and_settle(call, charge)
    # ALREADY: the reply to the first call was lost. The sweeper does what remains.
    if result[0] == b"ALREADY":
        return FinishResult()
    counters.collect(result[3])
    return _parse_finish(result)


def _parse_finish(result: list[Any]) -> FinishResult:
    return FinishResult(has_queued_turns=result[1] > 0, has_delivery=bool(result[2]))


def _result_members(outcome: Outcome) -> bytes:
    """Return finish_reason, usage and error as JSON members, in the order of stored replies."""
    usage, error = outcome.usage, outcome.error
    members = {
        "finish_reason": outcome.finish_reason,
        "usage": _usage(usage) if usage else None,
        "error": asdict(error) if error else None,
    }
    return orjson.dumps(members)[1:-1]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "source": usage.source,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def _charge_args(charge: Charge) -> tuple[Arg, ...]:
    return (charge.tokens, budgets.usage_arg(charge.usage), int(charge.reservation is not None))


def _send_and_settle(call: ScriptCall, charge: Charge) -> Steps[list[Any]]:
    """Execute a script that ends an attempt, and settle the attempt's reservation."""
    calls = [call]
    if charge.reservation:
        calls.append(budgets.settlement(charge.reservation, charge.usage))
    result, *_ = yield from send_all(calls)
    reply: list[Any] = reply_or_raise(result)
    if error := script_error(reply):
        raise error
    return reply


@store_call
def retry(
    lease: Lease, decision: Retry, *, charge: Charge = NO_CHARGE
) -> Steps[FinishResult | None]:
    """Put the turn back at the head of the session queue, and drop its text.

    Return `None` then. If its cancellation was requested, the turn ends as cancelled instead, with
    its text; return what remains to do in that case. The call can be repeated. A reservation is
    settled as in `finish`.

    Raises:
        LeaseLost, SessionGone: nothing was written.
        StoreUnavailable: Redis did not answer.
    """
    call = script_call(
        "retry",
        lease.session_id,
        lease.fence,
        lease.nonce,
        milliseconds(decision.delay),
        decision.reason,
        int(decision.uses_attempt),
        orjson.dumps(decision.model),
        orjson.dumps(asdict(decision.error) if decision.error else None),
        int(decision.may_be_woken),
        *_charge_args(charge),
        decision.ahead,
    )
    result = yield from _send_and_settle(call, charge)
    return _parse_finish(result) if result[0] == b"CANCELLED" else None
