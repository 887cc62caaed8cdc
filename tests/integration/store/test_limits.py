"""The gates of models, on a real server."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pytest_django import Settings

from chat.domain import Caller, CallResult, Model, WaitReason
from chat.store import limits
from tests.harness.waiting import wait_until

FREE = Model(name="m", provider="openai", url="http://127.0.0.1/v1")
TWO_AT_ONCE = replace(FREE, concurrency=2)
LONG = 60.0
"""Seconds of a lease that ends in no test, though the machine may stand still for a while."""
SHORT = 0.3
"""Of one whose end is waited for."""
HELD = 2.0
"""Of one that is held beyond its end."""


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.CHAT_CIRCUIT_FAILURE_THRESHOLD = 3
    settings.CHAT_CIRCUIT_RESET_TIMEOUT = 0.3
    settings.CHAT_LEASE_TTL = LONG


def passes(model: Model, caller: str, tokens: int = 1) -> bool:
    return limits.acquire(model, caller, tokens=tokens) is None


def test_no_more_calls_than_allowed_are_in_flight() -> None:
    with ThreadPoolExecutor(20) as threads:
        passed = list(threads.map(lambda i: passes(TWO_AT_ONCE, f"s{i}"), range(20)))
    assert sum(passed) == 2


def test_a_call_that_leaves_names_who_waits_longest() -> None:
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "b")
    wait = limits.acquire(TWO_AT_ONCE, "c", tokens=1)
    assert wait
    assert wait.reason is WaitReason.QUEUE
    assert not passes(TWO_AT_ONCE, "d")
    assert limits.release(TWO_AT_ONCE, "a", CallResult.OK) == ["c"]


def test_who_waits_is_not_overtaken() -> None:
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "b")
    assert not passes(TWO_AT_ONCE, "c")
    limits.release(TWO_AT_ONCE, "a", CallResult.OK)
    assert not passes(TWO_AT_ONCE, "newcomer")
    assert passes(TWO_AT_ONCE, "c")


def test_who_has_left_the_line_lets_those_behind_come_up() -> None:
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "b")
    assert not passes(TWO_AT_ONCE, "c")
    assert not passes(TWO_AT_ONCE, "d")
    assert limits.release(TWO_AT_ONCE, "a", CallResult.OK) == ["c"]
    assert limits.leave_queue([TWO_AT_ONCE], "nobody") == []
    assert limits.leave_queue([TWO_AT_ONCE], "c") == ["d"]
    assert passes(TWO_AT_ONCE, "d")


def test_a_slot_is_waited_for_no_longer_than_it_is_of_use() -> None:
    one = replace(FREE, concurrency=1)
    assert passes(one, "a")
    waits = [limits.acquire(one, "b", tokens=1, max_wait=within) for within in (8, 0.1, 900)]
    assert [wait.seconds for wait in waits if wait] == [4, 0.1, 10]


def test_nobody_is_behind_those_who_ask_the_fallback_or_give_up() -> None:
    """They do not come again, and would hold up all others until they are forgotten."""
    one = replace(FREE, concurrency=1)
    paced = replace(FREE, requests_per_minute=10)
    assert passes(one, "a")
    assert limits.acquire(replace(one, fallback="other"), "b", tokens=1)
    assert limits.acquire(one, "c", tokens=1, max_wait=0.05)
    assert limits.release(one, "a", CallResult.OK) == []
    assert passes(one, "d")
    limits.release(one, "d", CallResult.OK)

    assert passes(paced, "a")
    assert limits.acquire(paced, "b", tokens=1, max_wait=1)
    first = limits.acquire(paced, "c", tokens=1)
    assert first
    assert first.seconds < 7  # and 13 if "b" were before it


def test_who_steps_aside_lets_the_paced_come_earlier() -> None:
    paced = replace(FREE, requests_per_minute=10)
    assert passes(paced, "a")
    waits = [limits.acquire(paced, name, tokens=1) for name in ("b", "c")]
    assert limits.leave_queue([paced], "b") == ["c"]
    again = limits.acquire(paced, "c", tokens=1)
    assert again
    assert waits[1]
    assert again.seconds < 7 < waits[1].seconds


def test_who_has_an_open_turn_keeps_his_place(caller: Caller) -> None:
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "b")
    assert not passes(TWO_AT_ONCE, caller.session_id)
    assert limits.leave_queue([TWO_AT_ONCE], caller.session_id) == []
    assert limits.release(TWO_AT_ONCE, "a", CallResult.OK) == [caller.session_id]


def test_the_slot_of_a_dead_worker_comes_free_after_its_lease(settings: Settings) -> None:
    settings.CHAT_LEASE_TTL = SHORT
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "b")
    wait_until(lambda: passes(TWO_AT_ONCE, "c"))


def test_who_waits_is_named_once_a_dead_workers_slot_comes_free(settings: Settings) -> None:
    """And not only comes again when he was told to."""
    one = replace(FREE, concurrency=1)
    assert [passes(one, caller) for caller in ("dead", "b", "c")] == [True, False, False]
    settings.CHAT_LEASE_TTL = SHORT
    limits.heartbeat([(one, ["dead"])])

    def named() -> list[str]:
        assert not passes(one, "c"), "b is before him"
        return limits.heartbeat([(one, [])])

    assert wait_until(named) == ["b"]
    assert limits.heartbeat([(one, [])]) == []
    assert passes(one, "b")


def test_a_slot_that_was_lost_lets_nobody_pass_beside_those_who_hold_theirs(
    settings: Settings,
) -> None:
    one = replace(FREE, concurrency=1)
    settings.CHAT_LEASE_TTL = SHORT
    assert passes(one, "paused")
    settings.CHAT_LEASE_TTL = LONG
    wait_until(lambda: passes(one, "b"))
    assert not passes(one, "paused")


def test_a_late_sign_of_life_takes_no_slot_back_that_was_given_on(settings: Settings) -> None:
    one = replace(FREE, concurrency=1)
    settings.CHAT_LEASE_TTL = SHORT
    assert passes(one, "paused")
    settings.CHAT_LEASE_TTL = LONG
    wait_until(lambda: passes(one, "b"))
    limits.heartbeat([(one, ["paused"])])
    limits.release(one, "b", CallResult.OK)
    assert passes(one, "c")


def test_a_late_sign_of_life_keeps_a_slot_that_nobody_took(settings: Settings) -> None:
    one = replace(FREE, concurrency=1)
    settings.CHAT_LEASE_TTL = SHORT
    assert passes(one, "paused")
    time.sleep(2 * SHORT)
    settings.CHAT_LEASE_TTL = LONG
    limits.heartbeat([(one, ["paused"])])
    assert not passes(one, "b")


def test_a_sign_of_life_holds_a_slot(settings: Settings) -> None:
    settings.CHAT_LEASE_TTL = HELD
    one = replace(FREE, concurrency=1)
    assert passes(one, "a")
    ends = time.monotonic() + 1.5 * HELD
    while time.monotonic() < ends:
        limits.heartbeat([(one, ["a"])])
        assert not passes(one, "b")


def test_the_same_caller_passes_again_without_a_second_slot() -> None:
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "a")
    assert passes(TWO_AT_ONCE, "b")
    assert not passes(TWO_AT_ONCE, "c")


def test_calls_are_paced_and_waiters_are_told_one_after_the_other() -> None:
    paced = replace(FREE, requests_per_minute=60)
    passed = [passes(paced, f"s{i}") for i in range(6)]
    assert passed == [True] * 6
    first = limits.acquire(paced, "late", tokens=1)
    second = limits.acquire(paced, "later", tokens=1)
    assert first
    assert second
    assert first.reason is WaitReason.RATE_LIMITED
    pace = 60 / 54
    assert 0 < first.seconds <= pace + 0.001 < second.seconds <= 2 * pace + 0.001


@pytest.mark.parametrize("share", [4, 10])
@pytest.mark.parametrize("per_minute", [2, 3, 9, 10, 60, 1000, 250_000])
def test_no_minute_sees_more_than_its_number(per_minute: int, share: int) -> None:
    interval, burst = limits.interval_and_burst(per_minute, burst_share=share)
    within_a_minute = burst + int(limits.MINUTE_MS / interval)
    assert 0.7 * per_minute <= within_a_minute <= per_minute


@pytest.mark.security("S24")
def test_a_budget_of_tokens_holds_calls_back() -> None:
    budget = replace(FREE, tokens_per_minute=6000)
    assert passes(budget, "a", tokens=1000)
    assert passes(budget, "b", tokens=500)
    wait = limits.acquire(budget, "c", tokens=750)
    assert wait
    assert 9 < wait.seconds <= 10


def test_a_call_larger_than_the_burst_passes_when_nothing_else_is_owed() -> None:
    budget = replace(FREE, tokens_per_minute=60)
    assert passes(budget, "a", tokens=1000)
    assert not passes(budget, "b", tokens=1)


def test_a_vendors_retry_after_closes_the_gate_for_all() -> None:
    assert passes(FREE, "a")
    limits.release(
        FREE, "a", CallResult.RETRY_AFTER, retry_after=0.4, reason=WaitReason.RATE_LIMITED
    )
    wait = limits.acquire(FREE, "b", tokens=1)
    assert wait
    assert wait.reason is WaitReason.RATE_LIMITED
    assert 0 < wait.seconds <= 0.4
    assert limits.degraded(["m", "other"]) == {"m"}
    wait_until(lambda: passes(FREE, "b"))


def test_failures_open_the_circuit_and_one_probe_closes_it() -> None:
    for caller in "abc":
        assert passes(FREE, caller)
        limits.release(FREE, caller, CallResult.FAILED)
    assert not passes(FREE, "d")
    wait_until(lambda: passes(FREE, "probe"))
    assert not passes(FREE, "e")
    limits.release(FREE, "probe", CallResult.OK)
    assert passes(FREE, "e")
    assert limits.degraded(["m"]) == set()


def test_a_probe_that_fails_opens_the_circuit_again() -> None:
    for caller in "abc":
        limits.release(FREE, caller, CallResult.FAILED)
    wait_until(lambda: passes(FREE, "probe"))
    limits.release(FREE, "probe", CallResult.FAILED)
    assert not passes(FREE, "d")


def test_one_caller_opens_no_circuit_however_often_its_calls_fail() -> None:
    for _ in range(10):
        limits.release(FREE, "unlucky", CallResult.FAILED)
    assert passes(FREE, "d")


def test_the_first_text_of_a_probe_closes_the_circuit() -> None:
    for caller in "abc":
        limits.release(FREE, caller, CallResult.FAILED)
    wait_until(lambda: passes(FREE, "probe"))
    assert not passes(FREE, "d")
    assert limits.record_success(FREE) == ["d"]
    assert passes(FREE, "d")
    assert limits.degraded(["m"]) == set()


def test_text_does_not_shorten_what_the_vendor_asked_for() -> None:
    limits.release(FREE, "a", CallResult.RETRY_AFTER, retry_after=30)
    assert limits.record_success(FREE) == []
    assert not passes(FREE, "b")


def test_a_sign_of_life_keeps_a_long_probe_the_only_one(settings: Settings) -> None:
    settings.CHAT_LEASE_TTL = HELD
    for caller in "abc":
        limits.release(FREE, caller, CallResult.FAILED)
    wait_until(lambda: passes(FREE, "probe"))
    ends = time.monotonic() + 1.5 * HELD
    while time.monotonic() < ends:
        limits.heartbeat([(FREE, ["a", "probe"])])
        assert not passes(FREE, "d")


def test_a_probe_whose_answer_was_lost_is_still_the_same_probe() -> None:
    for caller in "abc":
        limits.release(FREE, caller, CallResult.FAILED)
    wait_until(lambda: passes(FREE, "probe"))
    assert passes(FREE, "probe")


def test_another_call_that_ends_lets_no_second_probe_pass() -> None:
    for caller in "abc":
        limits.release(FREE, caller, CallResult.FAILED)
    wait_until(lambda: passes(FREE, "probe"))
    limits.release(FREE, "earlier", CallResult.NEUTRAL)
    assert not passes(FREE, "d")
    assert limits.release(FREE, "probe", CallResult.NEUTRAL) == ["d"]
    assert passes(FREE, "d")


def test_a_probe_that_dies_is_followed_by_another(settings: Settings) -> None:
    settings.CHAT_LEASE_TTL = SHORT
    for caller in "abc":
        limits.release(FREE, caller, CallResult.FAILED)
    wait_until(lambda: passes(FREE, "dies"))
    wait_until(lambda: passes(FREE, "next"))


def test_one_success_forgets_earlier_failures() -> None:
    for caller in "ab":
        limits.release(FREE, caller, CallResult.FAILED)
    limits.release(FREE, "c", CallResult.OK)
    for caller in "ab":
        limits.release(FREE, caller, CallResult.FAILED)
    assert passes(FREE, "d")
