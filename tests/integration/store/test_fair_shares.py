"""Fair shares of a model's slots, and how long sessions wait. Times are virtual."""

import random
from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from chat.domain import CallResult, Model, ModelCaller
from tests.harness.tiers import thorough
from tests.integration.store import hypothesis_profiles
from tests.integration.store.limiter_machine import LimiterMachine
from tests.integration.store.limiter_simulation import Call, Simulation
from tests.integration.store.virtual_clock import VirtualClock

MODEL = Model(name="m", provider="openai", url="http://127.0.0.1/v1", concurrency=8)
# The model sends nothing, and the worker stops the call.
HANGS = Call(length=60, silence=inf, result=CallResult.FAILED)


def anonymous(network: int, owner: int = 0, *, session: int = 0) -> ModelCaller:
    """Return a caller of a /64 in a /48."""
    prefix = f"ip:2001:db8:{network:x}"
    session_id = f"ses_{network}_{owner}_{session}"
    return ModelCaller("anon", f"{prefix}::/48", f"{prefix}:{owner:x}::/64", session_id)


def user(number: int, *, tenant: str = "acme", session: int = 0) -> ModelCaller:
    session_id = f"ses_{tenant}_{number}_{session}"
    return ModelCaller("key", f"tenant:{tenant}", f"user:{number}", session_id)


def submit_users(simulation: Simulation, callers: list[ModelCaller], seconds: int) -> None:
    """Let users submit turns of 2 to 4 seconds, each two a minute on average."""
    chance = random.Random(1)
    for caller in callers:
        after = chance.uniform(0, 30)
        while after < seconds:
            call = Call(length=chance.uniform(2, 4))
            simulation.submit(caller, call, group="users", after=after)
            after += chance.expovariate(1 / 30)


@pytest.mark.security("S46")
@pytest.mark.parametrize("has_breaker", [True, *thorough(False)])
def test_hanging_turns_delay_no_other_owner(
    clock: VirtualClock, settings: Settings, has_breaker: bool
) -> None:
    settings.CHAT_CIRCUIT_FAILURE_THRESHOLD = 5 if has_breaker else 1_000_000
    simulation = Simulation(clock, MODEL)
    for session in range(20):
        for _ in range(3):
            simulation.submit(anonymous(1, session=session), HANGS)
    submit_users(simulation, [anonymous(100 + each) for each in range(20)], 120)
    simulation.run(120)
    assert simulation.percentile("users", 50) < 0.1
    assert simulation.percentile("users", 95) < 5


@pytest.mark.thorough
@pytest.mark.security("S46")
def test_many_addresses_of_one_network_delay_no_one(clock: VirtualClock) -> None:
    simulation = Simulation(clock, MODEL)
    for each in range(60):
        simulation.submit(anonymous(1, each), HANGS)
    submit_users(simulation, [anonymous(100 + each) for each in range(20)], 120)
    simulation.run(120)
    assert simulation.percentile("users", 50) < 0.1
    assert simulation.percentile("users", 95) < 5


@pytest.mark.thorough
def test_batch_uses_what_users_leave(clock: VirtualClock) -> None:
    simulation = Simulation(clock, MODEL)
    for each in range(60):
        for _ in range(4):
            simulation.submit(user(0, tenant="batch", session=each), Call(length=5), group="batch")
    submit_users(simulation, [user(each) for each in range(25)], 120)
    simulation.run(120)
    assert simulation.percentile("users", 50) < 2
    assert simulation.percentile("users", 95) < 9
    assert sum(simulation.slot_time.values()) > 0.95 * 8 * 115


def test_anonymous_clients_use_half_of_the_slots(clock: VirtualClock) -> None:
    """While others called lately. Alone, they use all of them."""
    simulation = Simulation(clock, MODEL)
    for each in range(20):
        simulation.submit(anonymous(each), Call(length=30))
    simulation.run(20)
    assert simulation.running == 8
    simulation.submit(user(1), Call(length=1))
    simulation.run(20)
    assert simulation.running == 4
    for each in range(20, 40):
        simulation.submit(anonymous(each), Call(length=100), after=620)
    simulation.run(640)
    assert simulation.running == 8


@example(slots=3, lengths=[0.3, 0.3], sessions=[9, 9])
@given(
    slots=st.integers(1, 8),
    lengths=st.lists(st.sampled_from([0.3, 1.0, 3.0, 10.0]), min_size=2, max_size=2),
    sessions=st.lists(st.integers(9, 20), min_size=2, max_size=2),
)
@hypothesis_profiles.active_profile(share=0.05)
def test_waiting_parties_get_the_same_slot_time(
    simulate: Callable[[Model], Simulation], slots: int, lengths: list[float], sessions: list[int]
) -> None:
    """They differ by at most one longest call in each slot, and one more.

    A call counts as one second until it ends: QUANTUM_MS in `lua/lib/limiter/slot_time.lua`.
    """
    simulation = simulate(replace(MODEL, concurrency=slots))
    for party, length, count in zip("ab", lengths, sessions, strict=True):
        for session in range(count):
            for _ in range(int(40 / length)):
                simulation.submit(user(0, tenant=party, session=session), Call(length=length))
    simulation.run(40)
    used = [simulation.slot_time[f"tenant:{party}"] for party in "ab"]
    assert abs(used[0] - used[1]) <= (slots + 1) * max(1.0, *lengths)


@pytest.mark.timeout(0)
def test_limiter_invariants_hold(clock: VirtualClock) -> None:
    LimiterMachine.clock = clock
    profile = hypothesis_profiles.active_profile(share=0.3)
    run_state_machine_as_test(LimiterMachine, settings=profile)
