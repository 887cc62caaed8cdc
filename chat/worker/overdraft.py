"""Calls to models while the Redis server that counts budgets does not answer.

On a Cluster that is one node, and it must neither stop the other nodes' sessions nor let calls cost
an unlimited amount. So all workers together may spend a part of each budget, of which each has an
equal share. What they have spent is counted when the node answers again.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chat.domain import Charge, Usage
from chat.domain.budgets import Budget, BudgetRefusal, PlannedCall
from chat.domain.prices import Price
from chat.settings import chat_settings
from chat.store import budgets as store

logger = logging.getLogger(__name__)

# Calls that one round trip counts.
BATCH_SIZE = 100
# Refusals that are remembered.
MAX_REFUSALS = 10_000


@dataclass(slots=True, kw_only=True)
class UncountedCall:
    """A call that Redis has not counted yet."""

    planned: PlannedCall
    # What it may cost, then what it has cost.
    money: int
    tokens: int
    has_ended: bool = False
    usage: Usage | None = None
    # Redis has its reservation. It must not be made again: it may be settled.
    is_reserved: bool = False


class Overdraft:
    """The uncounted calls of this process. Only the event loop uses it."""

    def __init__(self) -> None:
        # By the id of the reservation.
        self._calls: dict[str, UncountedCall] = {}
        # Their sums by the name of the budget.
        self._money: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        # Live workers when Redis last counted budgets. 0 if it never did: a worker that starts
        # without it may spend nothing, or each restart would renew the share.
        self._workers = 0
        # Budget -> seconds since the epoch at which the period ends in which it refused a call.
        self._refused_until: dict[str, float] = {}

    def remember_refusal(self, budgets: Sequence[Budget], refusal: BudgetRefusal) -> None:
        """Make no calls on this budget later, if too little is left of it."""
        if refusal.is_reserved:
            return
        if len(self._refused_until) >= MAX_REFUSALS:
            self._refused_until.clear()
        for budget in budgets:
            if (budget.scope, budget.period) == (refusal.scope, refusal.period):
                self._refused_until[budget.name] = refusal.ends_at

    def add(self, planned: PlannedCall, budgets: Iterable[Budget]) -> bool:
        """Return whether the call may be made, and count it in this case."""
        call = UncountedCall(planned=planned, money=planned.max_cost, tokens=planned.tokens)
        if not self._workers or any(self._refuses(budget, call) for budget in budgets):
            return False
        self._calls[planned.reservation.id] = call
        self._count(call, 1)
        return True

    def _refuses(self, budget: Budget, call: UncountedCall) -> bool:
        share = chat_settings.BUDGET_OVERDRAFT / 100 / self._workers
        name, limit = budget.name, budget.limit
        return bool(
            time.time() < self._refused_until.get(name, 0.0)
            or (limit.money and self._money[name] + call.money > share * limit.money)
            or (limit.tokens and self._tokens[name] + call.tokens > share * limit.tokens)
        )

    def end(self, charge: Charge) -> Charge:
        """Take what an uncounted call has used; return what its session settles instead."""
        call = self._calls.get(charge.reservation.id) if charge.reservation else None
        if call is None:
            return charge
        self._count(call, -1)
        call.has_ended, call.usage = True, charge.usage
        call.money, call.tokens = _cost(call.planned.price, charge.usage)
        self._count(call, 1)
        return replace(charge, reservation=None)

    async def record(self, *, workers: int = 0) -> None:
        """Count the calls in Redis, which has just answered. Those in progress get a reservation.

        workers: those that are alive; 0 if they are unknown.

        Raises:
            StoreUnavailable: some calls are still uncounted. The next call continues.
        """
        self._workers = workers or self._workers
        if self._calls:
            logger.warning("Counting %d calls that budgets have missed", len(self._calls))
        while calls := list(self._calls.values())[:BATCH_SIZE]:
            new = [call for call in calls if not call.is_reserved]
            await store.reserve_all.on_loop([call.planned for call in new])
            for call in calls:
                call.is_reserved = True
                if not call.has_ended:
                    self._remove(call)
            ended = [call for call in calls if call.has_ended]
            await store.settle_all.on_loop(
                [(call.planned.reservation, call.usage) for call in ended]
            )
            for call in ended:
                self._remove(call)

    def _remove(self, call: UncountedCall) -> None:
        del self._calls[call.planned.reservation.id]
        self._count(call, -1)

    def _count(self, call: UncountedCall, sign: int) -> None:
        for name in call.planned.reservation.names:
            self._money[name] += sign * call.money
            self._tokens[name] += sign * call.tokens
            if not self._tokens[name]:
                del self._money[name], self._tokens[name]


def _cost(price: Price, usage: Usage | None) -> tuple[int, int]:
    """Return micro-units and tokens."""
    if usage is None:
        return 0, 0
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    money = price.cost(prompt=prompt, completion=completion, cached=usage.cached_tokens)
    return money, usage.total_tokens


# The only one of this process; all turns share it.
overdraft = Overdraft()
