"""Turns while the node of a Cluster that has budgets, or a circuit breaker, is down."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from redis.crc import key_slot

from chat.domain import Caller, Charge
from chat.domain.budgets import (
    Budget,
    BudgetRules,
    BudgetState,
    Limit,
    Period,
    PlannedCall,
    Scope,
)
from chat.domain.errors import StoreUnavailable
from chat.store import budgets, keys, sessions
from chat.worker import budget_reservations, sweeper, turn_runner
from chat.worker.limiter import model_limiter
from chat.worker.overdraft import Overdraft
from tests.harness.redis_cluster import Cluster, Node
from tests.harness.wait import wait_until
from tests.integration.providers.raw_server import D, E, H, RawServer, X
from tests.integration.store import steps
from tests.integration.store.steps import Message
from tests.integration.store.test_cluster import durable_store
from tests.integration.worker import turns
from tests.integration.worker.test_budget_reservations import PRICE, USAGE, sends
from tests.unit.providers.models import model

# The call of a turn reserves 6 + 200 micro-units, and uses 35. Each of two workers may spend 250
# of the budget without a reservation.
LIMIT = Limit(money=10_000)
DAILY = Budget(scope=Scope.DEPLOYMENT, period=Period.DAY, limit=LIMIT)
USED = 35
WORKERS = 2


@pytest.fixture
def cluster(tmp_path: Path, settings: Settings) -> Iterator[Cluster]:
    with durable_store(tmp_path / "cluster", settings) as cluster:
        yield cluster


@pytest.fixture
def overdraft(monkeypatch: pytest.MonkeyPatch) -> Overdraft:
    """The overdraft of a worker that has just started."""
    created = Overdraft()
    for module in (budget_reservations, sweeper, turn_runner):
        monkeypatch.setattr(module, "overdraft", created)
    return created


@pytest.fixture
def run_turn(cluster: Cluster, settings: Settings) -> Iterator[Callable[..., Message]]:
    """Run a turn of a new session on a node that is up; return its reply."""
    settings.CHAT_BUDGETS = BudgetRules(each={Scope.DEPLOYMENT: {Period.DAY: LIMIT}})
    with RawServer(sends(H, D, E, USAGE, X)) as server:

        def run(**limits: int) -> Message:
            configured = model(name="default", url=server.url, price=PRICE, max_tokens=20, **limits)
            settings.CHAT_MODELS = {"default": configured}
            caller = create_session(cluster)
            accepted = steps.submit(caller)
            turns.run_turn(caller.session_id, flushes=False)
            return steps.find_message(caller, json.loads(accepted.reply)["id"])

        yield run


def create_session(cluster: Cluster) -> Caller:
    while True:
        new = steps.new_session()
        slot = key_slot(keys.for_session(new.id).session.encode())
        if cluster.master_of(slot).is_running:
            sessions.create(new)
            return Caller(session_id=new.id, credential=new.token_hash)


def node_of_budgets(cluster: Cluster) -> Node:
    return cluster.masters[2]


def restart(node: Node, cluster: Cluster) -> None:
    node.start()
    wait_until(cluster.is_ready, within=30)


def check_budgets() -> None:
    """Do what a worker does each second."""
    turns.on_loop(sweeper.settle_reservations(WORKERS))


def state() -> BudgetState:
    return budgets.states([DAILY])[0]


@pytest.mark.fault("F35")
@pytest.mark.security("S51")
@pytest.mark.usefixtures("overdraft")
def test_dead_node_of_the_budgets_stops_no_turn(
    cluster: Cluster, run_turn: Callable[[], Message]
) -> None:
    node = node_of_budgets(cluster)
    assert node is cluster.master_of(key_slot(keys.budget(DAILY.name).encode()))
    check_budgets()
    assert run_turn()["status"] == "completed"
    assert (state().spent, state().reserved) == (USED, 0)

    node.kill()
    assert [run_turn()["status"] for _ in range(2)] == ["completed", "completed"]
    # The third call would exceed the share of this worker.
    assert run_turn()["status"] == "queued"
    with pytest.raises(StoreUnavailable):
        check_budgets()

    restart(node, cluster)
    assert state().spent == USED
    for _ in range(2):
        check_budgets()
        assert (state().spent, state().reserved, state().lost) == (3 * USED, 0, 0)
    assert run_turn()["status"] == "completed"
    assert (state().spent, state().reserved) == (4 * USED, 0)


@pytest.mark.fault("F35")
@pytest.mark.parametrize(("limits", "status"), [({}, "completed"), ({"concurrency": 9}, "queued")])
def test_dead_node_of_a_circuit_breaker_stops_no_turn(
    cluster: Cluster,
    run_turn: Callable[..., Message],
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
    status: str,
) -> None:
    """A model with limits cannot be called without them."""
    monkeypatch.setattr(model_limiter, "_degraded", {"default"})
    cluster.master_of(key_slot(keys.limiter("default").health.encode())).kill()
    assert run_turn(**limits)["status"] == status


@pytest.mark.fault("F35")
@pytest.mark.usefixtures("cluster")
def test_call_in_progress_gets_its_reservation_later(overdraft: Overdraft) -> None:
    claim = steps.LeaseHolder.claim_for(session_with_turn())
    reservation = budgets.reservation_for(claim.lease, [DAILY])
    planned = PlannedCall(
        reservation=reservation, price=PRICE, prompt_tokens=6, max_tokens=20, lasts=60
    )
    asyncio.run(overdraft.record(workers=WORKERS))
    assert overdraft.add(planned, [DAILY])
    check_budgets()
    assert (state().spent, state().reserved) == (0, 206)
    charge = Charge(reservation=reservation)
    assert overdraft.end(charge) is charge


def session_with_turn() -> Caller:
    caller = steps.create_session()
    steps.submit(caller)
    return caller
