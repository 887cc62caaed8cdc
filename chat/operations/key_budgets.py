"""What the budgets of API keys have left."""

from collections.abc import Iterable

from chat.accounts import budgets as configured
from chat.domain.budgets import Scope, budgets
from chat.operations.budget_stats import BudgetStats
from chat.store import budgets as store


def collect(key_ids: Iterable[str]) -> BudgetStats:
    """Return the state of the budgets of these keys; at most three round trips.

    Raises:
        StoreUnavailable
    """
    configured.refresh_key_limits()
    rules = configured.rules()
    each = rules.each.get(Scope.KEY, {})
    found = [
        budget
        for key_id in key_ids
        for budget in budgets(Scope.KEY, key_id, rules.own.get((Scope.KEY, key_id)) or each)
    ]
    if not found:
        return BudgetStats()
    exceeded = {state.budget.name for state in store.exceeded()}
    return BudgetStats(listed=store.states(found), exceeded=exceeded)
