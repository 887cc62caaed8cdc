"""Steps of Redis's clock: no client is limited longer than configured, and no turn is delayed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import (
    Caller,
    CallResult,
    DeliveryResult,
    DeliveryStatus,
    Model,
    RecoveryResult,
    WaitReason,
)
from chat.domain.errors import InvalidToken, RateLimited, TokenBudgetExceeded, TurnLost
from chat.store import clock, due, leases, limits, outbox, rate_limit, scripts, tickets, workers
from tests.integration.store import steps
from tests.integration.store.stepping_clock import SteppingClock
from tests.integration.store.steps import LeaseHolder

pytestmark = pytest.mark.case("C30")

MODEL = Model(name="m", provider="openai", url="http://127.0.0.1/v1")
STEPS = [30, 3600]


@pytest.fixture
def redis_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SteppingClock]:
    stepping = SteppingClock(tmp_path / "lua")
    monkeypatch.setattr(scripts, "SCRIPTS_DIR", stepping.directory)
    scripts.read_script.cache_clear()
    yield stepping
    scripts.read_script.cache_clear()


def check_clock() -> float:
    """Correct stored times as the sweeper does; return the step."""
    step = clock.advance()
    if step:
        clock.shift_times(step, [MODEL])
        clock.forget()
    return step


def step_back(redis_clock: SteppingClock, seconds: float) -> None:
    clock.advance()
    redis_clock.step(-seconds)
    assert check_clock() == pytest.approx(seconds, abs=1)


def submit(settings: Settings) -> Callable[[], object]:
    settings.CHAT_MESSAGES_PER_MINUTE = 60
    settings.CHAT_MESSAGES_BURST = 5
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = 1000
    caller = steps.create_session(ttl=86400)
    return lambda: steps.submit(caller)


def throttle(settings: Settings) -> Callable[[], object]:  # noqa: ARG001  # as `submit`
    return lambda: rate_limit.throttle("sessions", "1.2.3.4", per_minute=60, burst=5)


def acquire(model: Model) -> None:
    if wait := limits.acquire(model, "ses_1", tokens=100):
        raise RateLimited(retry_after=wait.seconds)


def call_model(settings: Settings) -> Callable[[], object]:  # noqa: ARG001
    return lambda: acquire(replace(MODEL, requests_per_minute=66))


def use_model_tokens(settings: Settings) -> Callable[[], object]:  # noqa: ARG001
    return lambda: acquire(replace(MODEL, tokens_per_minute=8000))


LIMITED = [submit, throttle, call_model, use_model_tokens]


def wait_for(call: Callable[[], object]) -> float:
    """Return 0 if the call is allowed, else the seconds until it is."""
    try:
        call()
    except RateLimited as error:
        return error.retry_after or 0
    return 0


def use_up(call: Callable[[], object]) -> int:
    """Call until the limit rejects it; return how many calls it allowed."""
    waits = list(takewhile(lambda wait: not wait, (wait_for(call) for _ in range(100))))
    assert wait_for(call) <= 1.01
    return len(waits)


@pytest.mark.parametrize("seconds", STEPS)
@pytest.mark.parametrize("limited", LIMITED)
def test_step_back_limits_nobody_longer_than_the_rate(
    redis_clock: SteppingClock,
    settings: Settings,
    limited: Callable[[Settings], Callable[[], object]],
    seconds: float,
) -> None:
    call = limited(settings)
    burst = use_up(call)
    redis_clock.step(-seconds)
    assert use_up(call) <= 2  # the one that is due, and one as time passes
    redis_clock.step(1.01)
    assert use_up(call) == 1
    redis_clock.step(seconds)
    assert use_up(call) in {burst, burst + 1}


@pytest.mark.parametrize("seconds", STEPS)
def test_call_larger_than_the_burst_stays_paid_for(
    redis_clock: SteppingClock, seconds: float
) -> None:
    limited = replace(MODEL, tokens_per_minute=80)
    assert limits.acquire(limited, "a", tokens=600) is None  # ten minutes at the steady rate
    wait = limits.acquire(limited, "b", tokens=1)
    assert wait
    assert 580 < wait.seconds < 600
    redis_clock.step(-seconds)
    late = limits.acquire(limited, "b", tokens=1)
    assert late is None or late.seconds <= wait.seconds + seconds


def test_step_back_does_not_extend_the_token_budget_window(
    redis_clock: SteppingClock, settings: Settings
) -> None:
    settings.CHAT_SESSION_TOKENS_PER_HOUR = 100
    caller = steps.create_session(ttl=86400)
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    leases.finish(writer.lease, steps.outcome(), writer.delta("hi"), tokens=100)
    with pytest.raises(TokenBudgetExceeded):
        steps.submit(caller)
    redis_clock.step(-3600)
    steps.submit(caller)


@pytest.mark.parametrize("seconds", STEPS)
def test_lost_turn_is_recovered_with_its_lease(
    redis_clock: SteppingClock, caller: Caller, seconds: float
) -> None:
    LeaseHolder.claim_for(caller)
    step_back(redis_clock, seconds)
    redis_clock.step(11)
    assert caller.session_id in due.claim_due()
    assert due.recover([caller.session_id], grace=2) == [RecoveryResult.WAKE]
    assert LeaseHolder.claim_for(caller).finish("hi")


@pytest.mark.parametrize("seconds", [*STEPS, -30])
def test_live_turn_keeps_its_lease(
    redis_clock: SteppingClock, caller: Caller, seconds: float
) -> None:
    writer = LeaseHolder.claim_for(caller)
    clock.advance()
    redis_clock.step(-seconds)
    assert writer.append("some") is False
    check_clock()
    assert writer.renew() is False
    due.recover(due.claim_due(), grace=2)
    assert writer.finish(" text")
    assert steps.find_message(caller, writer.reply_id)["content"] == "some text"


def test_step_forward_beyond_a_lease_costs_an_attempt_only(
    redis_clock: SteppingClock, caller: Caller
) -> None:
    lost = LeaseHolder.claim_for(caller)
    redis_clock.step(30)
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.WAKE]
    with pytest.raises(TurnLost):
        lost.finish("late")
    assert LeaseHolder.claim_for(caller).finish("hi")
    assert steps.find_message(caller, lost.reply_id)["status"] == "completed"


@pytest.mark.parametrize("seconds", STEPS)
def test_retry_and_deadline_are_not_postponed(redis_clock: SteppingClock, seconds: float) -> None:
    retried, queued = steps.create_session(ttl=86400), steps.create_session(ttl=86400)
    steps.submit(retried, deadline=60)
    LeaseHolder.claim_for(retried).retry(5)
    steps.submit(queued, deadline=60)
    step_back(redis_clock, seconds)
    redis_clock.step(6.5)
    assert set(due.claim_due()) == {retried.session_id, queued.session_id}
    LeaseHolder.claim_for(retried).finish("hi")
    redis_clock.step(60)
    assert due.recover([queued.session_id], grace=2) == [RecoveryResult.LIVE]
    assert steps.messages(queued)[1]["status"] == "expired"


@pytest.mark.parametrize("seconds", STEPS)
def test_webhooks_are_not_postponed(redis_clock: SteppingClock, seconds: float) -> None:
    new, failed = (steps.create_session(webhook_url=b'"https://example.org/hook"') for _ in "ab")
    for caller in (new, failed):
        steps.submit(caller)
        steps.answer_next_turn(caller)
    assert steps.claim_delivery(failed.session_id, 2, nonce="n", lease=30)
    delivery = steps.claim_delivery(failed.session_id, 2, nonce="n", lease=30)
    assert delivery
    later = DeliveryResult(status=DeliveryStatus.PENDING, code="503", delay=5)
    assert outbox.finish(delivery, later)
    step_back(redis_clock, seconds)
    redis_clock.step(6.5)
    assert sorted(outbox.claim_due()) == sorted([(new.session_id, 2), (failed.session_id, 2)])
    assert steps.claim_delivery(failed.session_id, 2, nonce="m", lease=30)


def test_correcting_twice_changes_nothing(redis_clock: SteppingClock, caller: Caller) -> None:
    LeaseHolder.claim_for(caller)
    clock.advance()
    redis_clock.step(-3600)
    for _ in range(2):
        clock.shift_times(3600, [MODEL])
    assert due.claim_due() == []
    redis_clock.step(11)
    assert due.claim_due() == [caller.session_id]


@pytest.mark.parametrize("seconds", STEPS)
def test_blocked_models_are_not_blocked_longer(redis_clock: SteppingClock, seconds: float) -> None:
    limits.release(
        MODEL, "a", CallResult.RETRY_AFTER, retry_after=5, reason=WaitReason.RATE_LIMITED
    )
    step_back(redis_clock, seconds)
    wait = limits.acquire(MODEL, "b", tokens=1)
    assert wait
    assert 4 < wait.seconds <= 6.5
    redis_clock.step(6.5)
    assert limits.acquire(MODEL, "b", tokens=1) is None


@pytest.mark.parametrize("seconds", STEPS)
def test_slots_and_waiters_keep_their_leases_and_order(
    redis_clock: SteppingClock, seconds: float
) -> None:
    one = replace(MODEL, concurrency=1)
    assert limits.acquire(one, "dead", tokens=1) is None
    for waiter in ("first", "second"):
        assert limits.acquire(one, waiter, tokens=1)
        redis_clock.step(1)
    step_back(redis_clock, seconds)
    assert limits.acquire(one, "newcomer", tokens=1)
    redis_clock.step(9)
    assert limits.refresh_slots([(one, [])]) == ["first"]
    assert limits.acquire(one, "first", tokens=1) is None
    assert limits.release(one, "first", CallResult.OK) == ["second"]


def test_ticket_is_not_valid_longer(redis_clock: SteppingClock, caller: Caller) -> None:
    tickets.issue_ticket(caller, "aa", ttl=30)
    redis_clock.step(-3600)
    with pytest.raises(InvalidToken):
        tickets.redeem_ticket(caller.session_id, "aa", nonce="n", ttl=30)
    tickets.issue_ticket(caller, "bb", ttl=30)
    assert tickets.redeem_ticket(caller.session_id, "bb", nonce="n", ttl=30) == caller


def test_dead_worker_is_not_listed_after_a_step_back(redis_clock: SteppingClock) -> None:
    redis_clock.step(3600)
    workers.heartbeat("dead", running_turns=1)
    redis_clock.step(-3600)
    workers.heartbeat("alive", running_turns=1)
    assert [worker.name for worker in workers.list_workers()] == ["alive"]


def test_all_workers_together_see_a_step_once(redis_clock: SteppingClock, redis: Redis) -> None:
    assert clock.advance() == 0
    redis_clock.step(-1)
    assert clock.advance() == 0
    redis_clock.step(-60)
    assert check_clock() == pytest.approx(60, abs=1)
    assert clock.advance() == 0
    redis_clock.step(60)
    assert clock.advance() == 0
    assert redis.pttl("chat:deployment") == -1
