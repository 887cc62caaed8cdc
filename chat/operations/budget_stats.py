"""What budgets have left, for the admin and the metrics."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from chat.accounts import budgets as configured
from chat.domain.budgets import Budget, BudgetState, Scope, budgets
from chat.store import budgets as store

# Budgets of a list.
MAX_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStats:
    """The state of budgets at one moment; empty without budgets."""

    # Those of the deployment, those of single tenants and keys, and those that are exceeded.
    listed: Sequence[BudgetState] = ()
    # Names of exceeded budgets.
    exceeded: Set[str] = frozenset()
    # All calls of each scope that has a budget.
    totals: Mapping[Scope, BudgetState] = field(default_factory=dict)

    def count_exceeded(self, scope: Scope) -> int:
        return sum(name.startswith(f"{scope}:") for name in self.exceeded)


def collect(*, now: float) -> BudgetStats:
    """Return the state of budgets. Two round trips with budgets, else none.

    now: seconds since the epoch, by Redis's clock.

    Raises:
        StoreUnavailable
    """
    if not configured.rules():
        return BudgetStats()
    exceeded = {
        each.budget.name: each.budget
        for each in store.exceeded()
        if each.ends_at > 1000 * now and configured.is_configured(each.budget)
    }
    shown = {each.name: each for each in _named_budgets()} | exceeded
    listed = list(shown.values())[:MAX_LISTED]
    totals = [store.total(scope) for scope in Scope]
    states = store.states([*listed, *totals])
    return BudgetStats(
        listed=states[: len(listed)],
        exceeded=exceeded.keys(),
        totals={each.budget.scope: each for each in states[len(listed) :]},
    )


def _named_budgets() -> list[Budget]:
    """Return the budgets of the deployment, and those of single tenants and API keys."""
    rules = configured.rules()
    found = list(budgets(Scope.DEPLOYMENT, "", rules.each.get(Scope.DEPLOYMENT, {})))
    for (scope, name), limits in rules.own.items():
        if scope is not Scope.USER:  # the names of users are not those of their budgets
            found += budgets(scope, name, limits)
    return found
