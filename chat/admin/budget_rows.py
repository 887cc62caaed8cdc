"""Budgets on the operations page, and the cost of a reply."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chat.admin.form_filters import opener_query
from chat.conversation import llms
from chat.domain.budgets import Budget, BudgetState, Scope
from chat.domain.errors import UnknownModel
from chat.domain.prices import MICRO
from chat.operations.budget_stats import BudgetStats

# Digits of a digest that tell users apart.
SHOWN_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """One limit of a budget; amounts are formatted."""

    name: str
    limit: str
    spent: str
    reserved: str
    # Of calls that were lost.
    lost: str
    ends_at: str
    is_exceeded: bool
    # Of the list of its sessions; "" for the deployment.
    sessions_query: str


def budget_rows(stats: BudgetStats) -> list[BudgetRow]:
    """Return a row for each limit: a budget can limit money and tokens."""
    return [row for state in stats.listed for row in _rows(state, stats)]


def _rows(state: BudgetState, stats: BudgetStats) -> Iterator[BudgetRow]:
    limit = state.budget.limit
    is_exceeded = state.budget.name in stats.exceeded
    if limit.money:
        yield BudgetRow(
            name=f"{_name(state)}, money",
            limit=format_money(limit.money),
            spent=format_money(state.spent),
            reserved=format_money(state.reserved),
            lost=format_money(state.lost),
            ends_at=_format_end(state.ends_at),
            is_exceeded=is_exceeded,
            sessions_query=_sessions_query(state.budget),
        )
    if limit.tokens:
        yield BudgetRow(
            name=f"{_name(state)}, tokens",
            limit=f"{limit.tokens:,}",
            spent=f"{state.tokens:,}",
            reserved=f"{state.reserved_tokens:,}",
            lost=f"{state.lost_tokens:,}",
            ends_at=_format_end(state.ends_at),
            is_exceeded=is_exceeded,
            sessions_query=_sessions_query(state.budget),
        )


def _name(state: BudgetState) -> str:
    budget = state.budget
    subject = budget.subject[:SHOWN_DIGITS] if budget.scope is Scope.USER else budget.subject
    return f"{budget.scope} {subject} per {budget.period}".replace("  ", " ")


def _sessions_query(budget: Budget) -> str:
    return opener_query(f"{budget.scope}:{budget.subject}") if budget.subject else ""


def _format_end(ends_at: float) -> str:
    return (
        datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%d %H:%M")
        if ends_at
        else "no calls yet"
    )


def format_money(micro_units: int) -> str:
    """Format micro-units as an amount: two digits after the point, or more if they matter."""
    amount = f"{micro_units / MICRO:,.6f}".rstrip("0")
    whole, _, digits = amount.partition(".")
    return f"{whole}.{digits:0<2}"


def reply_cost(message: dict[str, Any]) -> str:
    """Return what a reply has cost at its model's present price; "" if that is not known."""
    usage = message.get("usage")
    try:
        price = llms.get(message.get("model") or "").price
    except UnknownModel:
        return ""
    if not usage or price is None:
        return ""
    cost = price.cost(
        prompt=usage["prompt_tokens"],
        completion=usage["completion_tokens"],
        cached=usage.get("cached_tokens", 0),
    )
    return format_money(cost)
