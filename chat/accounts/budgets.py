"""Budgets: which ones limit a call, and which ones are exceeded."""

from collections import ChainMap
from collections.abc import Iterable, Mapping

from django.conf import settings

from chat.domain import ApiKey, Identity, Model
from chat.domain.budgets import Budget, BudgetRules, Limit, Limits, Scope
from chat.domain.errors import NotFound
from chat.domain.prices import FREE
from chat.store import api_keys
from chat.store import budgets as store

# Tokens of the shortest prompt.
MIN_PROMPT = 5


# Limits of API keys that have their own, as this process has read them last.
_key_limits: dict[tuple[Scope, str], Limits] = {}


def rules() -> BudgetRules:
    """Return the budgets that the operator has configured, and those of API keys."""
    configured: BudgetRules = settings.CHAT_BUDGETS
    if not _key_limits:
        return configured
    return BudgetRules(each=configured.each, own=ChainMap(_key_limits, dict(configured.own)))


def refresh_key_limits() -> None:
    """Read the budgets of API keys.

    Raises:
        StoreUnavailable: Redis did not answer; those that were read before stay in effect.
    """
    remember_key_limits(store.key_limits())


def remember_key_limits(limits_by_key: Mapping[str, Limits]) -> None:
    """Replace what this process knows about the budgets of API keys."""
    found = {(Scope.KEY, key_id): limits for key_id, limits in limits_by_key.items()}
    for gone in _key_limits.keys() - found.keys():
        del _key_limits[gone]
    _key_limits.update(found)


def set_key_limits(key_id: str, limits: Limits) -> ApiKey:
    """Set the budgets of an API key, which is returned, instead of those that the file has for it.

    Workers know them within two sweep intervals. Without limits, the file's apply again.

    Raises:
        NotFound: there is no such key.
        StoreFull, StoreUnavailable
    """
    (key,) = api_keys.get_many([key_id])
    if key is None:
        raise NotFound("There is no API key with this id.")
    store.set_key_limits(key_id, limits)
    return key


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
