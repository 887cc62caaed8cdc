"""The lines that web processes send to Redis."""

import pytest
from pytest_django import Settings

from chat.accounts.exceeded_budgets import lines_of
from chat.domain.budgets import (
    Budget,
    BudgetRules,
    ExceededBudget,
    Limit,
    Limits,
    Period,
    Scope,
    exceeded_message,
)

LIMIT = Limit(money=5)
DAILY: Limits = {Period.DAY: LIMIT}


def exceeded(scope: Scope, subject: str = "", limit: Limit = LIMIT) -> ExceededBudget:
    budget = Budget(scope=scope, period=Period.DAY, subject=subject, limit=limit)
    return ExceededBudget(budget=budget, ends_at=1000)


def test_only_budgets_that_are_still_configured_count(settings: Settings) -> None:
    """An operator who raises a limit and restarts Parley need not wait for the next day."""
    settings.CHAT_BUDGETS = BudgetRules(
        each={Scope.DEPLOYMENT: DAILY}, own={(Scope.TENANT, "acme"): DAILY}
    )
    lines = lines_of(
        [
            exceeded(Scope.DEPLOYMENT),
            exceeded(Scope.DEPLOYMENT, limit=Limit(money=4)),
            exceeded(Scope.TENANT, "acme"),
            exceeded(Scope.USER, "ann"),
        ]
    )
    assert lines.split("\n") == [
        "deployment 1000 deployment:day",
        "tenant:acme 1000 tenant:day",
    ]


@pytest.mark.parametrize(
    ("scope", "period", "message"),
    [
        (Scope.DEPLOYMENT, Period.DAY, "The daily budget of this service"),
        (Scope.USER, Period.MONTH, "The monthly budget of your account"),
        (Scope.KEY, Period.DAY, "The daily budget of your API key"),
        (Scope.TENANT, Period.DAY, "The daily budget of your organization"),
    ],
)
def test_message_says_when_the_budget_is_renewed(
    scope: Scope, period: Period, message: str
) -> None:
    ends_at = 1_796_169_600
    expected = f"{message} is used up until 2026-12-02 00:00 UTC."
    assert exceeded_message(scope, period, ends_at) == expected
