"""Budgets of single API keys, which staff set with a command."""

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from redis import Redis

from chat.accounts import api_keys, budgets
from chat.domain import Identity, Lease
from chat.domain.budgets import BudgetRules, Limit, Period, Scope
from chat.domain.prices import Price
from chat.store import budgets as store
from chat.store import keys
from tests.integration.store import steps
from tests.unit.providers.models import model

PRICED = model(price=Price(input=1, cached_input=1, output=1))


@pytest.fixture(autouse=True)
def no_key_budgets(redis: Redis, settings: Settings) -> Iterator[None]:
    daily = {Period.DAY: Limit(money=7)}
    settings.CHAT_BUDGETS = BudgetRules(each={Scope.KEY: daily})
    yield
    for key_id in store.key_limits():
        store.set_key_limits(key_id, {})
    budgets.refresh_key_limits()
    redis.delete(keys.api_keys())


def limits_of(key_id: str) -> dict[Period, Limit]:
    """Return the limits that a worker applies to calls of this key."""
    budgets.refresh_key_limits()
    identity = Identity(api_key=key_id)
    return {each.period: each.limit for each in budgets.limiting_budgets(identity, PRICED)}


def test_command_sets_and_removes_the_budgets_of_a_key() -> None:
    _, key = api_keys.create(name="shop")
    _, other = api_keys.create(name="other")
    assert limits_of(key.id) == {Period.DAY: Limit(money=7)}
    call_command("apikey", "budget", key.id, "--day", "1.5", "--month-tokens", "1000")
    assert limits_of(key.id) == {
        Period.DAY: Limit(money=1_500_000),
        Period.MONTH: Limit(tokens=1000),
    }
    assert limits_of(other.id) == {Period.DAY: Limit(money=7)}
    call_command("apikey", "budget", key.id)
    assert limits_of(key.id) == {Period.DAY: Limit(money=7)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("unknown", "--day", "1"), "no API key with this id"), (("k", "--day=-1"), "negative")],
)
def test_invalid_budget_is_rejected(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("apikey", "budget", *arguments)


def test_raised_budget_accepts_messages_again() -> None:
    _, key = api_keys.create(name="shop")
    call_command("apikey", "budget", key.id, "--day", "0.000005")
    budgets.refresh_key_limits()
    limiting = budgets.limiting_budgets(Identity(api_key=key.id), PRICED)
    steps.reserve(
        Lease(session_id="ses_1", fence=1, nonce="n"), limiting,
        Price(input=10**7, cached_input=0, output=0),
        prompt_tokens=5, max_tokens=5, min_cost=10, min_tokens=1, lasts=60,
    )  # fmt: skip
    assert [each.budget.subject for each in store.exceeded()] == [key.id]
    call_command("apikey", "budget", key.id, "--day", "5")
    assert store.exceeded() == []
