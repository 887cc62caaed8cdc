"""Budgets in a TOML file and in settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chat.budget_config import read_budgets
from chat.domain import Identity, Model
from chat.domain.budgets import BudgetRules, Limit, Period, Scope
from chat.domain.errors import ConfigError
from chat.domain.prices import Price
from chat.settings import defaults

COMPLETE = """
[deployment]
day = 25.5
month_tokens = 20_000_000

[tenant]
month = 100

[tenants.acme]
month = 500

[key]
day_tokens = 1000

[user]
day = 0.5
day_tokens = 1000

[users."ann@example.org"]
day = 5
"""
PRICED = Model(name="m", provider="openai", url="u", price=Price(input=1, cached_input=1, output=1))


def read(file: Path, text: str, *, model: Model = PRICED, **settings: float) -> BudgetRules:
    file.write_text(text)
    values: Mapping[str, Any] = defaults() | {f"CHAT_{name}": it for name, it in settings.items()}
    return read_budgets({"CHAT_BUDGETS_FILE": str(file)}, values, {"m": model})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "budgets.toml"


def names_and_limits(rules: BudgetRules, identity: Identity) -> dict[str, Limit]:
    return {each.name: each.limit for each in rules.budgets_of(identity)}


def test_without_file_and_settings_there_are_no_budgets() -> None:
    assert not read_budgets({}, defaults(), {"m": PRICED})


def test_call_counts_towards_the_budgets_of_all_its_scopes(file: Path) -> None:
    rules = read(file, COMPLETE)
    bob = Identity(tenant="globex", user="bob", api_key="k1")
    assert names_and_limits(rules, bob) == {
        "deployment:day:": Limit(money=25_500_000),
        "deployment:month:": Limit(tokens=20_000_000),
        "tenant:month:globex": Limit(money=100_000_000),
        "key:day:k1": Limit(tokens=1000),
        f"user:day:{bob.user_digest}": Limit(money=500_000, tokens=1000),
    }
    anonymous = Identity(addresses=("192.0.2.1",))
    assert names_and_limits(rules, anonymous).keys() == {"deployment:day:", "deployment:month:"}


def test_own_budgets_replace_those_of_everyone(file: Path) -> None:
    rules = read(file, COMPLETE)
    ann = Identity(tenant="acme", user="ann@example.org")
    found = names_and_limits(rules, ann)
    assert found["tenant:month:acme"] == Limit(money=500_000_000)
    assert found[f"user:day:{ann.user_digest}"] == Limit(money=5_000_000)


def test_settings_are_the_daily_budget_of_the_deployment(file: Path) -> None:
    rules = read(file, "", DAILY_BUDGET=2.5, DAILY_TOKEN_BUDGET=1000)
    daily = Limit(money=2_500_000, tokens=1000)
    assert names_and_limits(rules, Identity()) == {"deployment:day:": daily}
    rules = read(file, "[deployment]\nday = 1\nmonth = 9", DAILY_TOKEN_BUDGET=1000)
    assert rules.each[Scope.DEPLOYMENT] == {
        Period.DAY: Limit(money=1_000_000, tokens=1000),
        Period.MONTH: Limit(money=9_000_000),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[deployment", "cannot be read"),
        ("[session]\nday = 1", "'session' is not one of the tables deployment, tenant"),
        ("tenants = 1", "'tenants' is not one of the tables"),
        ("deployment = 1", r"\[deployment\] must be a table with day or month"),
        ("[deployment]", r"\[deployment\] must be a table with day or month"),
        ("[tenants]\nacme = 1", r"\[tenants.acme\] must be a table"),
        ("[user]\nweek = 1", r"\[user\] has the unknown field 'week'"),
        ("[user]\nday = 0", r"\[user\] day: 0 is not a positive number"),
        ("[user]\nday = -1", "is not a positive number"),
        ("[user]\nday = true", "is not a positive number"),
        ("[user]\nday = inf", "is not a positive number"),
        ("[user]\nday = '1'", "is not a positive number"),
        ("[user]\nday_tokens = 1.5", r"\[user\] day_tokens: 1.5 is not a positive number"),
    ],
)
def test_invalid_file_is_rejected(file: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"CHAT_BUDGETS_FILE: .*{message}"):
        read(file, text)


def test_limit_that_is_set_twice_is_rejected(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"CHAT_DAILY_BUDGET: .* has day in"):
        read(file, "[deployment]\nday = 1", DAILY_BUDGET=2.0)
    with pytest.raises(ConfigError, match=r"CHAT_DAILY_TOKEN_BUDGET: .* has day_tokens in"):
        read(file, "[deployment]\nday_tokens = 1", DAILY_TOKEN_BUDGET=2)


def test_budget_in_money_requires_a_price(file: Path) -> None:
    unpriced = Model(name="m", provider="openai", url="u")
    with pytest.raises(ConfigError, match="requires models with a price"):
        read(file, "[user]\nday = 1", model=unpriced)
    assert read(file, "[user]\nday_tokens = 1", model=unpriced)
