"""Budgets: which ones limit a call, and which ones are exceeded."""

from collections.abc import Iterable

from django.conf import settings

from chat.domain import Identity, Model
from chat.domain.budgets import Budget, BudgetRules, Limit
from chat.domain.prices import FREE

# Tokens of the shortest prompt.
MIN_PROMPT = 5


def rules() -> BudgetRules:
    """Return the budgets that the operator has configured."""
    configured: BudgetRules = settings.CHAT_BUDGETS
    return configured


def limiting_budgets(identity: Identity, model: Model) -> list[Budget]:
    """Return the budgets that a call of this model counts towards.

    There are none if the call is free and no budget limits tokens.
    """
    if not rules():
        return []
    found = list(rules().budgets_of(identity))
    is_free = model.price in {None, FREE}
    return [] if is_free and not any(each.limit.tokens for each in found) else found


def cheapest_call(models: Iterable[Model]) -> Limit:
    """Return the cost of the cheapest call and the tokens of the shortest one.

    Of calls whose options set no `max_tokens`. A budget with less left is exceeded.
    """
    costs, tokens = [], []
    for model in models:
        price = model.price or FREE
        costs.append(price.max_cost(prompt=MIN_PROMPT, completion=model.max_tokens))
        tokens.append(MIN_PROMPT + model.max_tokens)
    return Limit(money=min(costs), tokens=min(tokens))


def is_configured(budget: Budget) -> bool:
    """Return whether any budget of its scope has its limit: operators may have changed it."""
    return budget.limit in rules().limits_of(budget.scope)
