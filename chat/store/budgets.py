"""Budgets: reservations before calls to models, and their settlement afterwards.

All budgets are in one slot, so that one script changes all that a call counts towards. Sessions are
in other slots, so a settlement is a second script. It is sent in the same packet as the outcome of
the turn. If it does not arrive, or a worker is lost, another worker settles the reservation by what
the session has recorded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import orjson

from chat.domain import Lease, Usage
from chat.domain.budgets import (
    Budget,
    BudgetRefusal,
    BudgetState,
    ExceededBudget,
    Limit,
    Limits,
    Period,
    PlannedCall,
    Reservation,
    Scope,
)
from chat.store import keys
from chat.store.calls import Steps, reply_or_raise, send, send_all, store_call
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, milliseconds, read_script

# The usage of a call of which nothing is known: as much as was reserved.
ALL = "all"
# The usage of a call whose worker was lost before any text: the prompt.
PROMPT = "prompt"
# Fields of a budget, as in `lua/lib/budgets.lua`.
FIELDS = ("spent", "tokens", "reserved", "reserved_tokens", "lost", "lost_tokens", "ends_at")
# Exceeded budgets that web processes know of. Workers refuse the calls of the others.
MAX_EXCEEDED = 500


@store_call
def reserve(
    planned: PlannedCall, budgets: Sequence[Budget], *, min_cost: int, min_tokens: int
) -> Steps[Reservation | BudgetRefusal]:
    """Reserve what a call can cost in all its budgets; one round trip.

    min_cost, min_tokens: of the cheapest and the shortest call that any client can make; a budget
    with less left is exceeded for all.

    Raises:
        StoreUnavailable: Redis did not answer. The call can be repeated.
    """
    limits = [each.limit for each in budgets]
    status, *refused = yield from send(_reservation(planned, limits, min_cost, min_tokens))
    if status == b"RESERVED":
        return planned.reservation
    index, ms, ends_at = refused
    return BudgetRefusal(
        scope=budgets[index].scope,
        period=budgets[index].period,
        seconds=ms / 1000,
        ends_at=ends_at / 1000,
        is_reserved=status == b"BUSY",
    )


@store_call
def reserve_all(calls: Sequence[PlannedCall]) -> Steps[None]:
    """Reserve what calls can cost whatever their budgets have left; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer. The call can be repeated.
    """
    for reply in (yield from send_all([_reservation(planned) for planned in calls])):
        reply_or_raise(reply)


def _reservation(
    planned: PlannedCall, limits: Sequence[Limit] = (), min_cost: int = 0, min_tokens: int = 0
) -> ScriptCall:
    """Return the call that reserves. limits: of the first budgets; the others have none."""
    names, price = planned.reservation.names, planned.price
    limits = (*limits, *[Limit()] * (len(names) - len(limits)))
    args: list[Arg] = [
        planned.reservation.id,
        planned.prompt_tokens,
        planned.max_tokens,
        f"{price.input} {price.cached_input} {price.output}",
        milliseconds(planned.lasts),
        " ".join(names),
        min_cost,
        min_tokens,
        *(number for limit in limits for number in (limit.money, limit.tokens)),
    ]
    return ScriptCall(read_script("reserve_budget"), _keys(names), args)


def reservation_for(lease: Lease, budgets: Sequence[Budget]) -> Reservation:
    """Return the reservation of a claim in these budgets, before it is made."""
    return Reservation(id=reservation_id(lease.session_id, lease.nonce), names=_names(budgets))


def reservation_id(session_id: str, nonce: str) -> str:
    """Return the id of the reservation of a claim with this nonce."""
    return f"{session_id}:{nonce}"


def _names(budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Return the names of the budgets, and of the counters for the metrics."""
    counters = {each.scope: total(each.scope) for each in budgets}
    return tuple(each.name for each in (*budgets, *counters.values()))


def total(scope: Scope) -> Budget:
    """Return the budget without a limit that counts all calls of a scope, for the metrics."""
    return Budget(scope=scope, period=Period.EVER)


def _keys(names: Iterable[str]) -> list[str]:
    """Return KEYS of the scripts."""
    shared = (keys.budget_reservations(), keys.budget_checks(), keys.exceeded_budgets())
    return [*shared, *map(keys.budget, names)]


def usage_arg(usage: Usage | None) -> str:
    """Return a usage as scripts take it; "" for none."""
    if usage is None:
        return ""
    return f"{usage.prompt_tokens} {usage.completion_tokens} {usage.cached_tokens}"


def settlement(reservation: Reservation, usage: Usage | None) -> ScriptCall:
    """Return the call that replaces a reservation by what the call has used, if anything.

    It does nothing if the reservation is settled.
    """
    return _settlement(reservation.id, reservation.names, usage_arg(usage) or "0 0 0")


def _settlement(reservation_id: str, names: Iterable[str], usage: str) -> ScriptCall:
    return ScriptCall(read_script("settle_budget"), _keys(names), (reservation_id, usage))


@store_call
def settle(reservation: Reservation, usage: Usage | None) -> Steps[None]:
    """Settle a reservation; see `settlement`.

    Raises:
        StoreUnavailable: Redis did not answer. A worker will settle it later.
    """
    yield from send(settlement(reservation, usage))


@store_call
def settle_all(calls: Sequence[tuple[Reservation, Usage | None]]) -> Steps[None]:
    """Settle reservations in one round trip.

    Raises:
        StoreUnavailable: Redis did not answer. The call can be repeated.
    """
    for reply in (yield from send_all([settlement(*call) for call in calls])):
        reply_or_raise(reply)


@store_call
def settle_lost(reservation_ids: Sequence[str], usage: Usage | None = None) -> Steps[None]:
    """Settle reservations by what their sessions have recorded about the calls.

    Calls that still run keep their reservations. Three round trips.

    usage: of calls that no session has recorded; `None` settles as much as was reserved.

    Raises:
        StoreUnavailable: Redis did not answer. A worker will settle them later.
    """
    stored = reply_or_raise((yield [("HMGET", keys.budget_reservations(), *reservation_ids)])[0])
    names = {
        each: value.decode().split(" ")[6:]
        for each, value in zip(reservation_ids, stored, strict=True)
        if value is not None
    }
    sessions = yield from send_all([_read_session(each) for each in names])
    usages = {
        each: _recorded_usage(each, reply_or_raise(fields), usage_arg(usage) or ALL)
        for each, fields in zip(names, sessions, strict=True)
    }
    calls = [_settlement(each, names[each], used) for each, used in usages.items() if used]
    if calls:
        yield from send_all(calls)


def _read_session(reservation_id: str) -> Sequence[str]:
    session = keys.for_session(reservation_id.partition(":")[0]).session
    return ("HMGET", session, "charged_nonce", "charged_usage", "running_turn", "nonce")


def _recorded_usage(reservation_id: str, fields: list[bytes | None], unknown: str) -> str:
    """Return the usage of a call, `unknown` if there is no record, or "" if the call runs."""
    nonce = reservation_id.partition(":")[2].encode()
    charged_nonce, charged_usage, running_turn, running_nonce = fields
    if charged_nonce == nonce:
        return (charged_usage or b"").decode() or PROMPT
    return "" if int(running_turn or 0) and running_nonce == nonce else unknown


@store_call
def exceeded() -> Steps[list[ExceededBudget]]:
    """Return the exceeded budgets, the one that ends last first; one round trip.

    Some may have ended.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    found = yield from send(("ZREVRANGE", keys.exceeded_budgets(), 0, MAX_EXCEEDED - 1))
    return [_exceeded(member.decode()) for member in found]


def _exceeded(member: str) -> ExceededBudget:
    key, money, tokens, ends_at = member.split(" ")
    limit = Limit(money=int(money), tokens=int(tokens))
    budget = Budget.from_name(keys.budget_name(key), limit)
    return ExceededBudget(budget=budget, ends_at=int(ends_at))


@store_call
def states(budgets: Sequence[Budget]) -> Steps[list[BudgetState]]:
    """Return what these budgets have left; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    reads = [("HMGET", keys.budget(each.name), *FIELDS) for each in budgets]
    (seconds, _), *replies = yield from send_all([("TIME",), *reads])
    return [
        _state(budget, reply_or_raise(fields), 1000 * int(seconds))
        for budget, fields in zip(budgets, replies, strict=True)
    ]


def _state(budget: Budget, fields: list[bytes | None], now: int) -> BudgetState:
    values = dict(zip(FIELDS, (int(float(value or 0)) for value in fields), strict=True))
    has_ended = budget.period is not Period.EVER and values["ends_at"] <= now
    if has_ended:
        values |= dict.fromkeys(("spent", "tokens", "lost", "lost_tokens"), 0)
    ends_at = 0 if has_ended else values.pop("ends_at") / 1000
    values.pop("ends_at", None)
    return BudgetState(budget=budget, ends_at=ends_at, **values)


@store_call
def key_limits() -> Steps[dict[str, Limits]]:
    """Return the limits of API keys that have their own; one round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    found = yield from send(("HGETALL", keys.key_budgets()))
    pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
    return {key_id.decode(): _parse_limits(stored) for key_id, stored in pairs}


def _parse_limits(stored: bytes) -> Limits:
    return {Period(period): Limit(**limit) for period, limit in orjson.loads(stored).items()}


@store_call
def set_key_limits(key_id: str, limits: Limits) -> Steps[None]:
    """Set the limits of an API key; none removes them. Its exceeded budgets are forgotten.

    Raises:
        StoreFull, StoreUnavailable
    """
    stored = orjson.dumps({period.value: asdict(limit) for period, limit in limits.items()})
    change = ("HSET", keys.key_budgets(), key_id, stored)
    yield from send(change if limits else ("HDEL", keys.key_budgets(), key_id))
    members = yield from send(("ZREVRANGE", keys.exceeded_budgets(), 0, -1))
    is_own = [each for each in members if _is_of_key(_exceeded(each.decode()).budget, key_id)]
    if is_own:
        yield from send(("ZREM", keys.exceeded_budgets(), *is_own))


def _is_of_key(budget: Budget, key_id: str) -> bool:
    return budget.scope is Scope.KEY and budget.subject == key_id
