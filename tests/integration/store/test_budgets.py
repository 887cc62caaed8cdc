"""Budgets: reservations of calls to models, and their settlement."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from chat.domain import Caller, Identity, Lease, Usage, UsageSource
from chat.domain.budgets import (
    Budget,
    BudgetRefusal,
    BudgetState,
    ExceededBudget,
    Limit,
    Period,
    Reservation,
    Scope,
)
from chat.domain.errors import BudgetExceeded
from chat.domain.prices import Price
from chat.store import budgets, due, keys, sessions, turns
from tests.integration.store import hypothesis_profiles, steps

# Each token costs one micro-unit and a third, a cached one a third, a token of the reply two.
PRICE = Price(input=1_333_333, cached_input=333_333, output=2_000_000)
DAILY = Budget(scope=Scope.DEPLOYMENT, period=Period.DAY, limit=Limit(money=1000))
MONTHLY = Budget(scope=Scope.DEPLOYMENT, period=Period.MONTH, limit=Limit(tokens=2000))


def of_user(name: str) -> Budget:
    limit = Limit(money=600, tokens=500)
    return Budget(scope=Scope.USER, period=Period.DAY, subject=name, limit=limit)


def reserve(
    nonce: str = "n1",
    *,
    session_id: str = "ses_1",
    prompt: int = 100,
    reply: int = 100,
    of: Iterable[Budget] = (DAILY,),
    lasts: float = 60.0,
) -> Reservation | BudgetRefusal:
    return steps.reserve(
        Lease(session_id=session_id, fence=1, nonce=nonce),
        list(of),
        PRICE,
        prompt_tokens=prompt,
        max_tokens=reply,
        min_cost=20,
        min_tokens=10,
        lasts=lasts,
    )


def reserved(nonce: str = "n1", **options: object) -> Reservation:
    """Reserve, which must succeed."""
    made = reserve(nonce, **options)  # type: ignore[arg-type]
    assert isinstance(made, Reservation)
    return made


def refused(nonce: str = "n1", **options: object) -> BudgetRefusal:
    """Try to reserve, which must fail."""
    refusal = reserve(nonce, **options)  # type: ignore[arg-type]
    assert isinstance(refusal, BudgetRefusal)
    return refusal


def usage(prompt: int, completion: int, cached: int = 0) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        source=UsageSource.PROVIDER,
    )


def state(budget: Budget = DAILY) -> BudgetState:
    return budgets.states([budget])[0]


def end_period(redis: Redis, budget: Budget) -> None:
    """Let the period of a budget end now."""
    redis.hset(keys.budget(budget.name), "ends_at", 1)


def test_settlement_replaces_the_reservation() -> None:
    reservation = reserved(prompt=30, reply=50)
    assert (state().reserved, state().reserved_tokens, state().spent) == (140, 80, 0)
    budgets.settle(reservation, usage(30, 10, cached=20))
    # 10 * 1.333333 + 20 * 0.333333 + 10 * 2 = 39.99999, rounded up once.
    assert (state().spent, state().tokens) == (40, 40)
    assert (state().reserved, state().reserved_tokens) == (0, 0)


def test_reservation_and_settlement_happen_once_however_often_sent() -> None:
    reservation = reserved()
    before = state()
    assert reserve() == reservation
    assert state() == before
    for used in (usage(10, 10), usage(99, 99), None):
        budgets.settle(reservation, used)
    assert state().tokens == 20


def test_call_that_used_nothing_costs_nothing() -> None:
    budgets.settle(reserved(), None)
    assert (state().spent, state().tokens, state().reserved) == (0, 0, 0)


def test_last_micro_unit_can_be_reserved_and_no_more() -> None:
    reserved("n1", prompt=300, reply=300)  # exactly 1,000
    refusal = refused("n2", prompt=1, reply=0)
    assert refusal.is_reserved
    budgets.settle(Reservation(id="ses_1:n1", names=(DAILY.name,)), usage(300, 300))
    refusal = refused("n2", prompt=1, reply=0)
    assert not refusal.is_reserved
    assert (refusal.scope, refusal.period) == (Scope.DEPLOYMENT, Period.DAY)


def test_refused_call_changes_no_budget() -> None:
    """The budget of the user has enough left, that of the deployment has not."""
    reserved("n1", prompt=300, reply=250)
    before = budgets.states([DAILY, of_user("ann")])
    assert refused("n2", of=(of_user("ann"), DAILY)).scope is Scope.DEPLOYMENT
    assert budgets.states([DAILY, of_user("ann")]) == before


def test_refusal_names_the_budget_that_ends_last() -> None:
    monthly = Budget(scope=Scope.DEPLOYMENT, period=Period.MONTH, limit=Limit(money=10))
    daily = Budget(scope=Scope.DEPLOYMENT, period=Period.DAY, limit=Limit(money=10))
    refusal = refused(of=(daily, monthly))
    assert refusal.period is Period.MONTH or refusal.ends_at == refused(of=(daily,)).ends_at
    assert 0 < refusal.seconds <= 31 * 86400


def test_budgets_of_others_are_apart() -> None:
    ann, bob = of_user("ann"), of_user("bob")
    reserved("n1", prompt=250, reply=100, of=(ann,))
    assert refused("n2", prompt=250, reply=100, of=(ann,)).scope is Scope.USER
    reserved("n3", prompt=250, reply=100, of=(bob,))


def test_budget_is_renewed_when_its_period_ends(redis: Redis) -> None:
    running = reserved("n1")
    budgets.settle(reserved("n2"), usage(200, 100))
    end_period(redis, DAILY)
    assert (state().spent, state().reserved, state().ends_at) == (0, 334, 0)
    reserved("n3")
    assert (state().spent, state().reserved) == (0, 668)
    budgets.settle(running, usage(10, 5))
    assert (state().tokens, state().reserved) == (15, 334)


DAY = 86_400_000


@pytest.mark.parametrize(
    ("period", "steps"), [(Period.DAY, (1, 3, 1000)), (Period.MONTH, (31, 62, 1000))]
)
def test_clock_that_steps_back_renews_no_budget(
    redis: Redis, period: Period, steps: tuple[int, ...]
) -> None:
    """What was spent counts, and the period ends when that of the clock's time ends."""
    budget = Budget(scope=Scope.DEPLOYMENT, period=period, limit=Limit(money=1000))
    for number, days in enumerate(steps):
        budgets.settle(reserved(f"n{number}", of=(budget,), prompt=1, reply=1), usage(0, 10))
        ends_at = round(state(budget).ends_at * 1000)
        redis.hset(keys.budget(budget.name), "ends_at", ends_at + days * DAY)
        reserved(f"m{number}", of=(budget,), prompt=1, reply=1)
        assert (state(budget).spent, state(budget).ends_at) == (20 * number + 20, ends_at / 1000)


def test_keys_of_a_budget_expire_after_its_period(redis: Redis) -> None:
    reserved(of=(DAILY, MONTHLY))
    for budget in (DAILY, MONTHLY):
        left = redis.pexpiretime(keys.budget(budget.name)) / 1000 - state(budget).ends_at
        assert left == 86_400


# Calls whose worker was lost.


def record(redis: Redis, nonce: str, recorded: str) -> None:
    """Store what a session has recorded about a call."""
    session = keys.for_session("ses_1").session
    redis.hset(session, mapping={"charged_nonce": nonce, "charged_usage": recorded})
    redis.expire(session, 60)


@pytest.mark.parametrize(
    ("recorded", "spent", "lost"),
    [("30 10 20", 40, 0), ("", 134, 134), (None, 334, 334)],
    ids=["reported", "without text", "unknown"],
)
def test_lost_call_is_settled_by_its_record(
    redis: Redis, recorded: str | None, spent: int, lost: int
) -> None:
    reservation = reserved(lasts=0)
    if recorded is not None:
        record(redis, "n1", recorded)
    for _ in range(2):
        due.settle_reservations()
        budgets.settle_lost([reservation.id])
    redis.delete(keys.for_session("ses_1").session)
    assert (state().spent, state().lost, state().reserved) == (spent, lost, 0)


def test_call_that_still_runs_keeps_its_reservation(redis: Redis) -> None:
    reserved(lasts=0)
    session = keys.for_session("ses_1").session
    redis.hset(session, mapping={"running_turn": 1, "nonce": "n1"})
    redis.expire(session, 60)
    due.settle_reservations()
    redis.delete(session)
    assert (state().spent, state().reserved) == (0, 334)


def test_worker_reports_a_call_that_its_session_has_not_recorded() -> None:
    reservation = reserved()
    budgets.settle_lost([reservation.id], usage(10, 20))
    assert (state().tokens, state().lost) == (30, 0)


# Budgets that are exceeded for everyone.


def test_exceeded_budget_is_announced_until_its_period_ends(redis: Redis) -> None:
    budgets.settle(reserved("n1", prompt=300, reply=300), usage(300, 290))  # 980 of 1,000
    assert budgets.exceeded() == []
    refusal = refused("n2", prompt=5, reply=10)
    assert budgets.exceeded() == []  # a shorter call is possible
    budgets.settle(reserved("n3", prompt=0, reply=5), usage(0, 1))
    refused("n4", prompt=5, reply=10)
    (exceeded,) = budgets.exceeded()
    assert (exceeded.budget, exceeded.ends_at / 1000) == (DAILY, refusal.ends_at)
    assert redis.pexpiretime(keys.exceeded_budgets()) == exceeded.ends_at


IDENTITY = Identity(tenant="acme", user="ann", api_key="k1", addresses=("192.0.2.1",))


def message_of(identity: Identity, exceeded: str) -> None:
    """Open a session, and post a message to a web process that knows these exceeded budgets."""
    new = replace(steps.new_session(), identity=identity)
    sessions.create(new)
    caller = Caller(session_id=new.id, credential=new.token_hash)
    try:
        turns.submit(caller, steps.submission(), exceeded=exceeded)
    finally:
        sessions.delete(caller)


@pytest.mark.security("S51")
@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        (Scope.DEPLOYMENT, ""),
        (Scope.TENANT, "acme"),
        (Scope.KEY, "k1"),
        (Scope.USER, IDENTITY.user_digest),
    ],
)
def test_exceeded_budget_rejects_messages_of_its_clients_only(scope: Scope, subject: str) -> None:
    budget = Budget(scope=scope, period=Period.DAY, subject=subject, limit=Limit(money=1))
    in_an_hour = round(time.time() + 3600) * 1000
    line = ExceededBudget(budget=budget, ends_at=in_an_hour).line
    with pytest.raises(BudgetExceeded, match=r"daily budget of .* is used up until 20") as error:
        message_of(IDENTITY, f"tenant:other 1 tenant:day\n{line}")
    assert 3500 < error.value.retry_after <= 3601
    others = Identity(tenant="other", user="bob", api_key="k2", addresses=("192.0.2.2",))
    if scope is not Scope.DEPLOYMENT:
        message_of(others, line)
    message_of(IDENTITY, ExceededBudget(budget=budget, ends_at=in_an_hour - 7_200_000).line)


# Random operations


@dataclass
class Account:
    """What the model of a budget expects."""

    limit: Limit
    spent: int = 0
    tokens: int = 0
    reserved: dict[str, tuple[int, int]] = field(default_factory=dict)

    def refuses(self, cost: int, tokens: int) -> bool:
        money = self.spent + sum(each[0] for each in self.reserved.values()) + cost
        count = self.tokens + sum(each[1] for each in self.reserved.values()) + tokens
        return 0 < self.limit.money < money or 0 < self.limit.tokens < count


TOKENS = st.integers(min_value=0, max_value=120)


class BudgetMachine(RuleBasedStateMachine):
    """Workers that reserve, settle, repeat both, and are lost."""

    calls = Bundle("calls")
    ended = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {each: Account(each.limit) for each in ALL_BUDGETS}
        self.count = 0
        # Costs of all settled calls.
        self.settled: list[int] = []

    @rule(target=calls, user=st.sampled_from(["ann", "bob", ""]), prompt=TOKENS, reply=TOKENS)
    def reserve(self, user: str, prompt: int, reply: int) -> object:
        self.count += 1
        of = [DAILY, MONTHLY, *([of_user(user)] if user else [])]
        made = reserve(f"n{self.count}", prompt=prompt, reply=reply, of=of)
        cost, tokens = PRICE.max_cost(prompt=prompt, completion=reply), prompt + reply
        if any(self.accounts[each].refuses(cost, tokens) for each in of):
            assert isinstance(made, BudgetRefusal)
            return multiple()
        assert isinstance(made, Reservation)
        for each in of:
            self.accounts[each].reserved[made.id] = cost, tokens
        return made, of, prompt, reply

    @rule(target=ended, call=consumes(calls), share=st.floats(0, 1), cached=st.floats(0, 1))
    def settle(self, call: "Call", share: float, cached: float) -> "Call":
        reservation, _, prompt, reply = call
        used = usage(prompt, round(share * reply), round(cached * prompt))
        budgets.settle(reservation, used)
        self._end(call, used)
        return call

    @rule(target=ended, call=consumes(calls), share=st.none() | st.floats(0, 1))
    def lose(self, call: "Call", share: float | None) -> "Call":
        """Lose the worker of a call; another one settles what it knows, if anything."""
        reservation, _, prompt, reply = call
        used = usage(prompt, reply if share is None else round(share * reply))
        budgets.settle_lost([reservation.id], None if share is None else used)
        self._end(call, used)
        return call

    @rule(call=ended)
    def repeat(self, call: "Call") -> None:
        budgets.settle(call[0], usage(50, 50))
        budgets.settle_lost([call[0].id])

    def _end(self, call: "Call", used: Usage) -> None:
        reservation, of, *_ = call
        cost = PRICE.cost(
            prompt=used.prompt_tokens,
            completion=used.completion_tokens,
            cached=used.cached_tokens,
        )
        self.settled.append(cost)
        for each in of:
            account = self.accounts[each]
            del account.reserved[reservation.id]
            account.spent += cost
            account.tokens += used.total_tokens

    @invariant()
    def budgets_match_the_model(self) -> None:
        for found in budgets.states(ALL_BUDGETS):
            account = self.accounts[found.budget]
            pending = account.reserved.values()
            assert (found.spent, found.tokens) == (account.spent, account.tokens)
            assert found.reserved == sum(each[0] for each in pending)
            assert found.reserved_tokens == sum(each[1] for each in pending)
            limit = found.budget.limit
            assert not limit.money or found.spent + found.reserved <= limit.money
            assert not limit.tokens or found.tokens + found.reserved_tokens <= limit.tokens
        total = state(budgets.total(Scope.DEPLOYMENT))
        assert total.spent == sum(self.settled)


Call = tuple[Reservation, list[Budget], int, int]
ALL_BUDGETS = [DAILY, MONTHLY, of_user("ann"), of_user("bob")]


@pytest.mark.security("S51")
def test_random_calls_never_exceed_a_budget(redis: Redis) -> None:
    class FreshMachine(BudgetMachine):
        def __init__(self) -> None:
            redis.flushall()
            super().__init__()

    run_state_machine_as_test(FreshMachine, settings=hypothesis_profiles.active_profile())
