"""Read the configured budgets from a TOML file and from settings."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chat.domain import Model
from chat.domain.budgets import BudgetRules, Limit, Limits, Period, Scope
from chat.domain.errors import ConfigError
from chat.domain.prices import to_micro_units
from chat.settings import PREFIX

FILE = "CHAT_BUDGETS_FILE"
# Tables of the file that hold one table for each tenant, API key or user.
_OWN = {"tenants": Scope.TENANT, "keys": Scope.KEY, "users": Scope.USER}
# Fields of a table -> period, and the field of its limit.
_FIELDS = {
    "day": (Period.DAY, "money"),
    "month": (Period.MONTH, "money"),
    "day_tokens": (Period.DAY, "tokens"),
    "month_tokens": (Period.MONTH, "tokens"),
}


def read_budgets(
    environ: Mapping[str, str], values: Mapping[str, Any], models: Mapping[str, Model]
) -> BudgetRules:
    """Return the budgets of `CHAT_BUDGETS_FILE` and of the settings `CHAT_DAILY_...`.

    values: the `CHAT_*` settings.

    Raises:
        ConfigError: the file cannot be read, a name is unknown, a limit is not a positive number,
            a limit is set twice, or money is limited while no model has a price.
    """
    path = environ.get(FILE)
    each, own = _read_tables(_read_toml(Path(path)) if path else {})
    if daily := _daily_limit(each.get(Scope.DEPLOYMENT, {}).get(Period.DAY, Limit()), values):
        each[Scope.DEPLOYMENT] = {**each.get(Scope.DEPLOYMENT, {}), Period.DAY: daily}
    rules = BudgetRules(each=each, own=own)
    _check_prices(rules.limits_of(*Scope), models)
    return rules


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{FILE}: {path} cannot be read: {error}") from error


def _read_tables(
    tables: Mapping[str, Any],
) -> tuple[dict[Scope, Limits], dict[tuple[Scope, str], Limits]]:
    """Return the limits by scope, and those of single tenants, API keys and users."""
    each: dict[Scope, Limits] = {}
    own: dict[tuple[Scope, str], Limits] = {}
    for name, table in tables.items():
        if name in set(Scope):
            each[Scope(name)] = _limits(name, table)
        elif name in _OWN and isinstance(table, dict):
            own |= {
                (_OWN[name], subject): _limits(f"{name}.{subject}", entry)
                for subject, entry in table.items()
            }
        else:
            known = ", ".join([*Scope, *_OWN])
            raise ConfigError(f"{FILE}: {name!r} is not one of the tables {known}")
    return each, own


def _limits(where: str, table: object) -> dict[Period, Limit]:
    if not isinstance(table, dict) or not table:
        raise ConfigError(f"{FILE}: [{where}] must be a table with {' or '.join(_FIELDS)}")
    found: dict[Period, dict[str, int]] = {}
    for name, value in table.items():
        if name not in _FIELDS:
            raise ConfigError(f"{FILE}: [{where}] has the unknown field {name!r}")
        period, field = _FIELDS[name]
        found.setdefault(period, {})[field] = _number(where, name, value)
    return {period: Limit(**fields) for period, fields in found.items()}


def _number(where: str, name: str, value: object) -> int:
    """Return micro-units, or a number of tokens."""
    types = int if name.endswith("_tokens") else int | float
    if isinstance(value, bool) or not isinstance(value, types) or not 0 < value < float("inf"):
        raise ConfigError(f"{FILE}: [{where}] {name}: {value!r} is not a positive number")
    return value if name.endswith("_tokens") else to_micro_units(value)


def _daily_limit(daily: Limit, values: Mapping[str, Any]) -> Limit:
    """Return the deployment's daily limit, of the file and of the settings together."""
    money = to_micro_units(values[f"{PREFIX}DAILY_BUDGET"])
    tokens = values[f"{PREFIX}DAILY_TOKEN_BUDGET"]
    for setting, is_set_twice, name in (
        ("DAILY_BUDGET", money and daily.money, "day"),
        ("DAILY_TOKEN_BUDGET", tokens and daily.tokens, "day_tokens"),
    ):
        if is_set_twice:
            raise ConfigError(f"{PREFIX}{setting}: {FILE} has {name} in [deployment], too")
    return Limit(money=money or daily.money, tokens=tokens or daily.tokens)


def _check_prices(limits: Iterable[Limit], models: Mapping[str, Model]) -> None:
    if any(limit.money for limit in limits) and not any(each.price for each in models.values()):
        raise ConfigError(
            "a budget in money requires models with a price (docs/budgets.md);"
            " or limit tokens instead"
        )
