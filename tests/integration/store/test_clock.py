"""Steps of Redis's clock: no client is limited longer than configured, and no turn is delayed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import (
    Caller,
    CallResult,
    Charge,
    DeliveryResult,
    DeliveryStatus,
    Model,
    RecoveryResult,
    WaitReason,
)
from chat.domain.errors import InvalidToken, RateLimited, TokenBudgetExceeded
from chat.settings import chat_settings
from chat.store import (
    admin,
    clock,
    due,
    leases,
    outbox,
    rate_limit,
    scripts,
    snapshots,
    tickets,
    workers,
)
from chat.store.calls import run
from chat.store.clock import RedisClock, shift_times
from tests.harness.redis_cluster import needs_one_server
from tests.harness.tiers import thorough
from tests.integration.store import limiter_steps, steps
from tests.integration.store.stepping_clock import SteppingClock
from tests.integration.store.steps import LeaseHolder

# On a Cluster, stored times are not corrected: each node has its own clock.
pytestmark = [pytest.mark.case("C30"), needs_one_server]

MODEL = Model(name="m", provider="openai", url="http://127.0.0.1/v1")
STEPS_BACK = [3600, *thorough(30)]
STEPS = [-3600, 3600, *thorough(-30, 30)]


@pytest.fixture
def redis_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SteppingClock]:
    stepping = SteppingClock(tmp_path / "lua")
    monkeypatch.setattr(scripts, "SCRIPTS_DIR", stepping.directory)
    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + stepping.passed)
    monkeypatch.setattr(clock.redis_clock, "_checked", None)
    scripts.read_script.cache_clear()
    yield stepping
    scripts.read_script.cache_clear()


def check_clock(worker: RedisClock = clock.redis_clock) -> float:
    """Correct stored times as the sweeper does; return the step."""
    step = run(worker.check())
    if step is None:
        return 0
    shift_times(step, [MODEL])
    run(worker.end(step))
    return step.seconds


def start(*workers: RedisClock) -> None:
    for worker in workers or (clock.redis_clock,):
        assert check_clock(worker) == 0


def all_times(redis: Redis) -> dict[str, Any]:
    """Return all sorted sets and hashes."""
    read = {b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True), b"hash": redis.hgetall}
    found = {key: redis.type(key) for key in redis.scan_iter("chat:{*")}
    return {key: read[kind](key) for key, kind in found.items() if kind in read}


def step_and_correct(redis_clock: SteppingClock, seconds: float) -> None:
    """Step the clock between two checks of a worker; negative seconds step it back."""
    start()
    redis_clock.step(seconds)
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
    if wait := limiter_steps.acquire(model, "ses_1", tokens=100):
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


@pytest.mark.parametrize("seconds", STEPS_BACK)
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
    redis_clock.let_pass(1.01)
    assert use_up(call) == 1
    redis_clock.step(seconds)
    assert use_up(call) in {burst, burst + 1}


@pytest.mark.parametrize("seconds", STEPS_BACK)
def test_call_larger_than_the_burst_stays_paid_for(
    redis_clock: SteppingClock, seconds: float
) -> None:
    limited = replace(MODEL, tokens_per_minute=80)
    assert limiter_steps.acquire(limited, "a", tokens=600) is None  # ten minutes at the steady rate
    wait = limiter_steps.acquire(limited, "b")
    assert wait
    assert 580 < wait.seconds < 600
    redis_clock.step(-seconds)
    late = limiter_steps.acquire(limited, "b")
    assert late is None or late.seconds <= wait.seconds + seconds


def test_step_back_does_not_extend_the_token_budget_window(
    redis_clock: SteppingClock, settings: Settings
) -> None:
    settings.CHAT_SESSION_TOKENS_PER_HOUR = 100
    caller = steps.create_session(ttl=86400)
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    charge = Charge(tokens=100)
    leases.finish(writer.lease, steps.outcome(), writer.delta("hi"), charge=charge)
    with pytest.raises(TokenBudgetExceeded):
        steps.submit(caller)
    redis_clock.step(-3600)
    steps.submit(caller)


@pytest.mark.parametrize("seconds", STEPS)
def test_lost_turn_is_recovered_with_its_lease(
    redis_clock: SteppingClock, caller: Caller, seconds: float
) -> None:
    LeaseHolder.claim_for(caller)
    step_and_correct(redis_clock, seconds)
    redis_clock.let_pass(11)
    assert caller.session_id in due.claim_due()
    assert due.recover([caller.session_id], grace=2) == [RecoveryResult.WAKE]
    assert LeaseHolder.claim_for(caller).finish("hi")


@pytest.mark.parametrize("seconds", STEPS)
def test_live_turn_keeps_its_lease(
    redis_clock: SteppingClock, caller: Caller, seconds: float
) -> None:
    writer = LeaseHolder.claim_for(caller)
    start()
    redis_clock.step(seconds)
    assert writer.append("some") is False
    check_clock()
    assert writer.renew() is False
    due.recover(due.claim_due(), grace=2)
    assert writer.finish(" text")
    assert steps.find_message(caller, writer.reply_id)["content"] == "some text"


def test_nothing_ends_before_the_clock_is_checked(
    redis_clock: SteppingClock, caller: Caller
) -> None:
    started, idle = steps.create_session(ttl=86400), steps.create_session(ttl=60)
    steps.submit(started)
    writer = LeaseHolder.claim_for(started)
    steps.submit(caller)
    start()
    redis_clock.step(3600)
    assert steps.claim(caller) is None
    found = due.claim_due()
    assert set(found) == {started.session_id, idle.session_id, caller.session_id}
    assert due.recover(found, grace=2) == 3 * [RecoveryResult.LIVE]

    assert check_clock() == pytest.approx(3600, abs=1)
    writer.finish("hi")
    assert steps.find_message(started, writer.reply_id)["status"] == "completed"
    steps.answer_next_turn(caller)
    redis_clock.let_pass(50)
    snapshots.read(idle)


@pytest.mark.parametrize("seconds", STEPS)
def test_retry_and_deadline_are_not_postponed(redis_clock: SteppingClock, seconds: float) -> None:
    retried, queued = steps.create_session(ttl=86400), steps.create_session(ttl=86400)
    steps.submit(retried, deadline=60)
    LeaseHolder.claim_for(retried).retry(5)
    steps.submit(queued, deadline=60)
    step_and_correct(redis_clock, seconds)
    redis_clock.let_pass(6.5)
    assert set(due.claim_due()) == {retried.session_id, queued.session_id}
    LeaseHolder.claim_for(retried).finish("hi")
    redis_clock.let_pass(60)
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
    step_and_correct(redis_clock, seconds)
    redis_clock.let_pass(6.5)
    assert sorted(outbox.claim_due()) == sorted([(new.session_id, 2), (failed.session_id, 2)])
    assert steps.claim_delivery(failed.session_id, 2, nonce="m", lease=30)


@pytest.mark.parametrize("seconds", STEPS)
def test_correcting_twice_changes_nothing(
    redis_clock: SteppingClock, redis: Redis, caller: Caller, seconds: float
) -> None:
    LeaseHolder.claim_for(caller)
    steps.submit(caller)
    start()
    redis_clock.step(seconds)
    step = run(clock.redis_clock.check())
    assert step
    shift_times(step, [MODEL])
    corrected = all_times(redis)
    shift_times(step, [MODEL])
    assert all_times(redis) == corrected
    assert due.claim_due() == []
    run(clock.redis_clock.end(step))
    redis_clock.let_pass(11)
    assert due.claim_due() == [caller.session_id]


@pytest.mark.parametrize("seconds", STEPS)
def test_blocked_models_are_not_blocked_longer(redis_clock: SteppingClock, seconds: float) -> None:
    limiter_steps.release(
        MODEL, "a", CallResult.RETRY_AFTER, retry_after=14, reason=WaitReason.RATE_LIMITED
    )
    step_and_correct(redis_clock, seconds)
    wait = limiter_steps.acquire(MODEL, "b")
    assert wait
    assert 4 < wait.seconds <= 15.5
    redis_clock.let_pass(15.5)
    assert limiter_steps.acquire(MODEL, "b") is None


@pytest.mark.parametrize("seconds", STEPS)
def test_slots_and_waiters_keep_their_leases_and_order(
    redis_clock: SteppingClock, seconds: float
) -> None:
    one = replace(MODEL, concurrency=1)
    assert limiter_steps.acquire(one, "dead") is None
    for waiter in ("first", "second"):
        assert limiter_steps.acquire(one, waiter)
        redis_clock.let_pass(1)
    step_and_correct(redis_clock, seconds)
    assert limiter_steps.acquire(one, "newcomer")
    redis_clock.let_pass(9)
    assert limiter_steps.refresh(one) == ["first"]
    assert limiter_steps.acquire(one, "first") is None
    assert limiter_steps.release(one, "first", CallResult.OK) == ["second"]


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


def test_first_worker_that_sees_a_step_corrects_it(
    redis_clock: SteppingClock, redis: Redis
) -> None:
    workers = [RedisClock(), RedisClock()]
    start(*workers)
    for seconds in (-60, 60, 3600, -3600):
        redis_clock.let_pass(1)
        redis_clock.step(seconds)
        assert [check_clock(worker) for worker in workers] == [pytest.approx(seconds, abs=2), 0]
        redis_clock.let_pass(1)
        assert [check_clock(worker) for worker in reversed(workers)] == [0, 0]
    assert redis.pttl("chat:deployment") == -1
    assert redis.hkeys("chat:deployment") == [b"clock"]


@pytest.mark.parametrize("seconds", [-1, 1, 4])
def test_short_steps_are_ignored(redis_clock: SteppingClock, seconds: float) -> None:
    start()
    redis_clock.step(seconds)
    assert check_clock() == 0


@pytest.mark.parametrize("seconds", [-60, 60])
def test_another_worker_takes_over_a_step(redis_clock: SteppingClock, seconds: float) -> None:
    killed, other = RedisClock(), RedisClock()
    start(killed, other)
    redis_clock.step(seconds)
    assert run(killed.check())
    redis_clock.let_pass(clock.CORRECTION_LEASE - 1)
    assert check_clock(other) == 0
    redis_clock.let_pass(2)
    assert check_clock(other) == pytest.approx(seconds, abs=1)
    assert check_clock(other) == 0


def test_step_while_another_is_corrected_is_corrected_next(redis_clock: SteppingClock) -> None:
    start()
    redis_clock.step(60)
    step = run(clock.redis_clock.check())
    assert step
    redis_clock.step(600)
    run(clock.redis_clock.end(step))
    assert check_clock() == pytest.approx(600, abs=1)


def test_time_without_checks_is_no_step(redis_clock: SteppingClock) -> None:
    frozen, other = RedisClock(), RedisClock()
    start(frozen, other)
    redis_clock.let_pass(3600)  # all workers are frozen, or Redis is away
    assert check_clock(frozen) == 0
    assert check_clock(other) == 0


def test_worker_frozen_during_its_check_sees_no_step(
    redis_clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    latest = clock.redis_clock.latest()
    redis_clock.let_pass(60)
    monkeypatch.setattr(RedisClock, "latest", lambda _: latest)  # read before it was frozen
    assert check_clock() == 0


def test_worker_on_a_suspended_host_sees_no_step(redis_clock: SteppingClock) -> None:
    suspended, other = RedisClock(), RedisClock()
    start(suspended, other)
    for _ in range(10):
        redis_clock.let_pass(1)
        assert check_clock(other) == 0
    redis_clock.passed -= 10  # its monotonic clock stood still
    assert check_clock(suspended) == 0


def test_step_while_no_worker_runs_counts_as_time(redis_clock: SteppingClock) -> None:
    start(RedisClock())
    redis_clock.step(3600)
    start(RedisClock())


@pytest.mark.parametrize("seconds", [3600, 46800])
def test_step_forward_and_back_keeps_sessions(redis_clock: SteppingClock, seconds: float) -> None:
    idle, ended = steps.create_session(ttl=60), steps.create_session(ttl=60)
    admin.expire(ended)
    step_and_correct(redis_clock, seconds)
    new = steps.create_session(ttl=60)
    assert due.recover(due.claim_due(), grace=2) == [RecoveryResult.EXPIRED]
    redis_clock.let_pass(50)
    snapshots.read(idle)
    redis_clock.let_pass(11)
    assert set(due.claim_due()) == {idle.session_id, new.session_id}

    step_and_correct(redis_clock, -seconds)
    snapshots.read(idle)


def test_turns_of_new_sessions_get_no_more_time(redis_clock: SteppingClock) -> None:
    start()
    redis_clock.step(3600)
    caller = steps.create_session(ttl=60)
    steps.submit(caller, deadline=chat_settings.TURN_DEADLINE)
    check_clock()
    redis_clock.let_pass(chat_settings.TURN_DEADLINE + 1)
    assert due.recover([caller.session_id], grace=2) == [RecoveryResult.LIVE]
    assert steps.messages(caller)[1]["status"] == "expired"
