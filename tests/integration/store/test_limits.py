"""Limits on model calls: concurrency, rates, circuit breaker."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pytest_django import Settings

from chat.domain import Caller, CallResult, Model, WaitReason
from chat.store import limiter, limiter_states
from tests.harness.wait import wait_until
from tests.integration.store.limiter_steps import acquire, acquired, refresh, release, succeed

FREE = Model(name="m", provider="openai", url="http://127.0.0.1/v1")
TWO_AT_ONCE = replace(FREE, concurrency=2)
# Leases in seconds: one that outlasts every test even on a stalled machine, one whose end a test
# waits for, and one that a test extends.
LONG = 60.0
SHORT = 0.3
EXTENDED = 2.0


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.CHAT_CIRCUIT_FAILURE_THRESHOLD = 3
    settings.CHAT_CIRCUIT_RESET_TIMEOUT = 0.3
    settings.CHAT_LEASE_TTL = LONG


def test_concurrency_limit_is_never_exceeded() -> None:
    with ThreadPoolExecutor(20) as threads:
        passed = list(threads.map(lambda i: acquired(TWO_AT_ONCE, f"s{i}"), range(20)))
    assert sum(passed) == 2


def test_release_returns_the_longest_waiter() -> None:
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "b")
    wait = acquire(TWO_AT_ONCE, "c")
    assert wait
    assert wait.reason is WaitReason.QUEUE
    assert not acquired(TWO_AT_ONCE, "d")
    assert release(TWO_AT_ONCE, "a", CallResult.OK) == ["c"]


def test_newcomer_does_not_overtake_a_waiter() -> None:
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "b")
    assert not acquired(TWO_AT_ONCE, "c")
    release(TWO_AT_ONCE, "a", CallResult.OK)
    assert not acquired(TWO_AT_ONCE, "newcomer")
    assert acquired(TWO_AT_ONCE, "c")


def test_leaving_the_queue_returns_the_next_waiter() -> None:
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "b")
    assert not acquired(TWO_AT_ONCE, "c")
    assert not acquired(TWO_AT_ONCE, "d")
    assert release(TWO_AT_ONCE, "a", CallResult.OK) == ["c"]
    assert limiter.leave_queue([TWO_AT_ONCE], "nobody") == []
    assert limiter.leave_queue([TWO_AT_ONCE], "c") == ["d"]
    assert acquired(TWO_AT_ONCE, "d")


def test_delay_for_a_slot_fits_max_wait() -> None:
    one = replace(FREE, concurrency=1)
    assert acquired(one, "a")
    waits = [acquire(one, "b", max_wait=max_wait) for max_wait in (8, 0.1, 900)]
    assert [wait.seconds for wait in waits if wait] == [4, 0.1, 10]


def test_no_one_queues_behind_calls_that_will_not_return() -> None:
    """Those with a fallback, or with too little time, do not ask again."""
    one = replace(FREE, concurrency=1)
    limited = replace(FREE, requests_per_minute=10)
    assert acquired(one, "a")
    assert acquire(replace(one, fallback="other"), "b")
    assert acquire(one, "c", max_wait=0.05)
    assert release(one, "a", CallResult.OK) == []
    assert acquired(one, "d")
    release(one, "d", CallResult.OK)

    assert acquired(limited, "a")
    assert acquire(limited, "b", max_wait=1)
    first = acquire(limited, "c")
    assert first
    assert first.seconds < 7  # and 13 if "b" were before it


def test_leaving_the_queue_shortens_rate_limit_delays() -> None:
    limited = replace(FREE, requests_per_minute=10)
    assert acquired(limited, "a")
    waits = [acquire(limited, name) for name in ("b", "c")]
    assert limiter.leave_queue([limited], "b") == []  # a refresh wakes "c" in time
    again = acquire(limited, "c")
    assert again
    assert waits[1]
    assert again.seconds < 7 < waits[1].seconds


def test_session_with_open_turn_keeps_its_place(caller: Caller) -> None:
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "b")
    assert not acquired(TWO_AT_ONCE, caller.session_id)
    assert limiter.leave_queue([TWO_AT_ONCE], caller.session_id) == []
    assert release(TWO_AT_ONCE, "a", CallResult.OK) == [caller.session_id]


def test_slot_of_dead_worker_expires_with_its_lease(settings: Settings) -> None:
    settings.CHAT_LEASE_TTL = SHORT
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "b")
    wait_until(lambda: acquired(TWO_AT_ONCE, "c"))


def test_waiter_is_woken_when_a_slot_expires(settings: Settings) -> None:
    """Before its own next attempt."""
    one = replace(FREE, concurrency=1)
    assert [acquired(one, session_id) for session_id in ("dead", "b", "c")] == [True, False, False]
    settings.CHAT_LEASE_TTL = SHORT
    refresh(one, ["dead"])

    assert wait_until(lambda: refresh(one)) == ["b"]
    assert refresh(one) == []
    assert not acquired(one, "c"), "the slot is promised to b"
    assert acquired(one, "b")


def test_session_without_its_lost_slot_must_wait(
    settings: Settings,
) -> None:
    one = replace(FREE, concurrency=1)
    settings.CHAT_LEASE_TTL = SHORT
    assert acquired(one, "paused")
    settings.CHAT_LEASE_TTL = LONG
    wait_until(lambda: acquired(one, "b"))
    assert not acquired(one, "paused")
    # Its lost slot is not a promise that it did not take: it waits once.
    assert refresh(one, ["b"]) == []
    assert release(one, "b", CallResult.OK) == ["paused"]
    assert acquired(one, "paused")
    assert release(one, "paused", CallResult.OK) == []


def test_late_refresh_does_not_take_a_slot_back(settings: Settings) -> None:
    one = replace(FREE, concurrency=1)
    settings.CHAT_LEASE_TTL = SHORT
    assert acquired(one, "paused")
    settings.CHAT_LEASE_TTL = LONG
    wait_until(lambda: acquired(one, "b"))
    refresh(one, ["paused"])
    release(one, "b", CallResult.OK)
    assert acquired(one, "c")


def test_late_refresh_keeps_a_free_slot(settings: Settings) -> None:
    one = replace(FREE, concurrency=1)
    settings.CHAT_LEASE_TTL = SHORT
    assert acquired(one, "paused")
    time.sleep(2 * SHORT)
    settings.CHAT_LEASE_TTL = LONG
    refresh(one, ["paused"])
    assert not acquired(one, "b")


def test_refresh_keeps_a_slot(settings: Settings) -> None:
    settings.CHAT_LEASE_TTL = EXTENDED
    one = replace(FREE, concurrency=1)
    assert acquired(one, "a")
    ends = time.monotonic() + 1.5 * EXTENDED
    while time.monotonic() < ends:
        refresh(one, ["a"])
        assert not acquired(one, "b")
        time.sleep(EXTENDED / 20)


def test_acquire_twice_takes_one_slot() -> None:
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "a")
    assert acquired(TWO_AT_ONCE, "b")
    assert not acquired(TWO_AT_ONCE, "c")


def test_rate_limit_spreads_out_waiters() -> None:
    limited = replace(FREE, requests_per_minute=60)
    passed = [acquired(limited, f"s{i}") for i in range(6)]
    assert passed == [True] * 6
    first = acquire(limited, "late")
    second = acquire(limited, "later")
    assert first
    assert second
    assert first.reason is WaitReason.RATE_LIMITED
    pace = 60 / 54
    assert 0 < first.seconds <= pace + 0.001 < second.seconds <= 2 * pace + 0.001


@pytest.mark.security("S24")
def test_token_limit_delays_calls() -> None:
    budget = replace(FREE, tokens_per_minute=6000)
    assert acquired(budget, "a", tokens=1000)
    assert acquired(budget, "b", tokens=500)
    wait = acquire(budget, "c", tokens=750)
    assert wait
    assert 9 < wait.seconds <= 10


def test_call_larger_than_the_burst_passes_when_idle() -> None:
    budget = replace(FREE, tokens_per_minute=60)
    assert acquired(budget, "a", tokens=1000)
    assert not acquired(budget, "b", tokens=1)


def test_retry_after_blocks_all_calls() -> None:
    assert acquired(FREE, "a")
    release(FREE, "a", CallResult.RETRY_AFTER, retry_after=0.4, reason=WaitReason.RATE_LIMITED)
    wait = acquire(FREE, "b")
    assert wait
    assert wait.reason is WaitReason.RATE_LIMITED
    assert 0 < wait.seconds <= 0.4
    assert limiter.degraded(["m", "other"]) == {"m"}
    wait_until(lambda: acquired(FREE, "b"))


@pytest.mark.security("S45")
def test_retry_after_blocks_others_for_a_limited_time() -> None:
    release(FREE, "a", CallResult.RETRY_AFTER, retry_after=86_400)
    (state,) = limiter_states.read([FREE], now=time.time())
    assert 55 < state.blocked_for <= 60


@pytest.mark.security("S45")
def test_another_session_tests_a_blocked_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "TRIAL_INTERVAL_MS", 300)
    release(FREE, "a", CallResult.RETRY_AFTER, retry_after=50)
    for session_id in "ab":
        assert not acquired(FREE, session_id)
    wait_until(lambda: acquired(FREE, "b"))
    # One trial at a time, and never by the session that the vendor limits.
    assert not acquired(FREE, "c")
    wait = acquire(FREE, "a")
    assert wait
    assert wait.seconds > 40
    assert set(succeed(FREE, "b")) == {"a", "c"}
    assert acquired(FREE, "a")


@pytest.mark.security("S45")
def test_staff_can_unblock_a_model() -> None:
    for session_id in "abc":
        release(FREE, session_id, CallResult.FAILED)
    release(FREE, "a", CallResult.RETRY_AFTER, retry_after=50)
    assert not acquired(FREE, "d")
    assert limiter.unblock(FREE) == ["d"]
    assert acquired(FREE, "d")
    assert limiter.degraded(["m"]) == set()


def test_failures_open_the_circuit_and_a_probe_closes_it() -> None:
    for session_id in "abc":
        assert acquired(FREE, session_id)
        release(FREE, session_id, CallResult.FAILED)
    assert not acquired(FREE, "trial")
    wait_until(lambda: acquired(FREE, "trial"))
    assert not acquired(FREE, "e")
    release(FREE, "trial", CallResult.OK)
    assert acquired(FREE, "e")
    assert limiter.degraded(["m"]) == set()


def test_failed_probe_opens_the_circuit_again() -> None:
    for session_id in "abc":
        release(FREE, session_id, CallResult.FAILED)
    wait_until(lambda: acquired(FREE, "trial"))
    release(FREE, "trial", CallResult.FAILED)
    assert not acquired(FREE, "d")


def test_calls_that_began_before_extend_no_open_circuit() -> None:
    for number in range(10):
        release(FREE, f"s{number}", CallResult.FAILED, duration=1)
    (state,) = limiter_states.read([FREE], now=time.time())
    assert 0 < state.blocked_for <= 0.3


def test_failures_of_one_session_open_no_circuit() -> None:
    for _ in range(10):
        release(FREE, "unlucky", CallResult.FAILED)
    assert acquired(FREE, "d")


def test_first_token_of_a_probe_closes_the_circuit() -> None:
    for session_id in "abc":
        release(FREE, session_id, CallResult.FAILED)
    wait_until(lambda: acquired(FREE, "trial"))
    assert not acquired(FREE, "d")
    assert succeed(FREE, "trial") == ["d"]
    assert acquired(FREE, "d")
    assert limiter.degraded(["m"]) == set()


def test_success_does_not_shorten_retry_after() -> None:
    release(FREE, "a", CallResult.RETRY_AFTER, retry_after=30)
    assert succeed(FREE, "earlier") == []
    assert not acquired(FREE, "b")


def test_probe_that_acquires_twice_is_still_the_probe() -> None:
    for session_id in "abc":
        release(FREE, session_id, CallResult.FAILED)
    wait_until(lambda: acquired(FREE, "trial"))
    assert acquired(FREE, "trial")


def test_end_of_another_call_allows_no_second_probe() -> None:
    for session_id in "abc":
        release(FREE, session_id, CallResult.FAILED)
    wait_until(lambda: acquired(FREE, "trial"))
    release(FREE, "earlier", CallResult.NEUTRAL)
    assert not acquired(FREE, "d")
    assert release(FREE, "trial", CallResult.NEUTRAL) == ["d"]
    assert acquired(FREE, "d")


def test_right_of_a_probe_ends_before_its_call() -> None:
    for session_id in "abc":
        release(FREE, session_id, CallResult.FAILED)
    wait_until(lambda: acquired(FREE, "trial"))
    wait = acquire(FREE, "next")
    assert wait
    assert 9 < wait.seconds <= 10


def test_success_resets_the_failure_count() -> None:
    for session_id in "ab":
        release(FREE, session_id, CallResult.FAILED)
    release(FREE, "c", CallResult.OK)
    for session_id in "ab":
        release(FREE, session_id, CallResult.FAILED)
    assert acquired(FREE, "d")
