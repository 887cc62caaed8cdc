"""What a worker may spend while Redis counts no budgets."""

import asyncio
import time

import pytest
from pytest_django import Settings

from chat.domain import Charge, Usage, UsageSource
from chat.domain.budgets import (
    Budget,
    BudgetRefusal,
    Limit,
    Period,
    PlannedCall,
    Reservation,
    Scope,
)
from chat.domain.prices import Price
from chat.worker.overdraft import Overdraft

PRICE = Price(input=1_000_000, cached_input=0, output=1_000_000)
MONEY = Budget(scope=Scope.DEPLOYMENT, period=Period.DAY, limit=Limit(money=4000))
TOKENS = Budget(scope=Scope.USER, period=Period.DAY, subject="ann", limit=Limit(tokens=4000))


def plan(name: str, tokens: int = 50) -> PlannedCall:
    """Return a call that costs one micro-unit per token."""
    names = (MONEY.name, TOKENS.name)
    return PlannedCall(
        reservation=Reservation(id=name, names=names),
        price=PRICE,
        prompt_tokens=tokens // 2,
        max_tokens=tokens // 2,
        lasts=60,
    )


def overdraft(workers: int = 2) -> Overdraft:
    """Return the overdraft of a worker that has reached the budgets."""
    created = Overdraft()
    asyncio.run(created.record(workers=workers))
    return created


def charge(name: str, tokens: int) -> Charge:
    usage = Usage(
        prompt_tokens=tokens // 2, completion_tokens=tokens // 2, source=UsageSource.PROVIDER
    )
    return Charge(usage=usage, reservation=plan(name).reservation)


@pytest.mark.security("S51")
@pytest.mark.parametrize("budget", [MONEY, TOKENS])
def test_workers_share_five_percent_of_a_budget(budget: Budget) -> None:
    own = overdraft(workers=2)
    assert own.add(plan("1"), [budget])
    assert own.add(plan("2"), [budget])
    assert not own.add(plan("3", tokens=2), [budget])


@pytest.mark.security("S51")
def test_ended_call_counts_what_it_has_used() -> None:
    own = overdraft()
    assert own.add(plan("1", tokens=100), [MONEY])
    assert own.end(charge("1", 40)).reservation is None
    assert own.add(plan("2", tokens=60), [MONEY])
    assert not own.add(plan("3", tokens=2), [MONEY])
    assert own.end(charge("other", 40)).reservation == Reservation(
        id="other", names=(MONEY.name, TOKENS.name)
    )


@pytest.mark.security("S51")
def test_restarted_worker_may_spend_nothing() -> None:
    assert not Overdraft().add(plan("1"), [MONEY])


@pytest.mark.security("S51")
def test_exceeded_budget_stays_exceeded() -> None:
    own = overdraft()
    for ends_at, may_call in ((time.time() + 60, False), (time.time() - 1, True)):
        refusal = BudgetRefusal(
            scope=MONEY.scope,
            period=MONEY.period,
            seconds=60,
            ends_at=ends_at,
            is_reserved=False,
        )
        own.remember_refusal([TOKENS, MONEY], refusal)
        assert own.add(plan(str(may_call)), [MONEY]) is may_call


def test_turns_wait_without_an_overdraft(settings: Settings) -> None:
    settings.CHAT_BUDGET_OVERDRAFT = 0.0
    assert not overdraft().add(plan("1"), [MONEY])
