"""Turns whose model calls count towards budgets."""

import json
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.accounts.exceeded_budgets import ExceededBudgets
from chat.conversation import turns
from chat.domain import Caller
from chat.domain.budgets import Budget, BudgetRules, BudgetState, Limit, Period, Scope
from chat.domain.errors import BudgetExceeded, SessionNotFound
from chat.domain.prices import Price
from chat.store import budgets, due, keys, sessions, snapshots
from chat.worker.active_turns import active_turns
from tests.integration.providers.raw_server import D, E, H, Handler, RawServer, X, read_request
from tests.integration.store import steps
from tests.integration.store.steps import Message
from tests.integration.store.time_travel import advance
from tests.integration.worker import turns as turns_on_loop
from tests.integration.worker.turns import flush_from_thread
from tests.unit.providers.models import model

# A token of the prompt costs 1 micro-unit, a cached one nothing, one of the reply 10.
PRICE = Price(input=1_000_000, cached_input=0, output=10_000_000)
DAILY = Budget(scope=Scope.DEPLOYMENT, period=Period.DAY)
USAGE = (
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,'
    b'"prompt_tokens_details":{"cached_tokens":4}}}\n\n'
)
# "hello" as a prompt, in tokens.
PROMPT = 6
DAY = 86_400
# Seconds for each turn.
DEADLINE = 20


@pytest.fixture(autouse=True)
def wait_for_midnight() -> None:
    """Start no test just before midnight: a turn waits for a budget that ends in time."""
    left = -time.time() % DAY
    if left < DEADLINE:
        time.sleep(left + 0.1)


def sends(*parts: bytes, then: Callable[[], object] = lambda: None) -> Handler:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        then()
        connection.sendall(b"".join(parts))
        connection.shutdown(socket.SHUT_WR)

    return handle


@pytest.fixture
def run_turn(settings: Settings) -> Callable[..., Message]:
    def run(
        handle: Handler, caller: Caller | None = None, *, limit: int = 10_000, **fields: Any
    ) -> Message:
        """Answer a message with `handle`; the deployment has this daily limit, in micro-units."""
        daily = {Period.DAY: Limit(money=limit)}
        settings.CHAT_BUDGETS = BudgetRules(each={Scope.DEPLOYMENT: daily})
        settings.CHAT_BROKER_URL = ""
        caller = caller or steps.create_session()
        with RawServer(handle) as server:
            fields = {"price": PRICE, "max_tokens": 100} | fields
            configured = model(name="default", url=server.url, **fields)
            settings.CHAT_MODELS = {"default": configured}
            accepted = steps.submit(caller, deadline=DEADLINE)
            turns_on_loop.run_turn(caller.session_id, flushes=False)
        return steps.find_message(caller, json.loads(accepted.reply)["id"])

    return run


def spent() -> BudgetState:
    return budgets.states([DAILY])[0]


def test_call_is_settled_with_the_usage_that_the_vendor_reports(
    run_turn: Callable[..., Message],
) -> None:
    seen: list[BudgetState] = []
    reply = run_turn(sends(H, D, E, USAGE, X, then=lambda: seen.append(spent())))
    assert (seen[0].reserved, seen[0].reserved_tokens) == (PROMPT + 1000, PROMPT + 100)
    assert (spent().spent, spent().tokens) == (5 + 30, 12)
    assert (spent().reserved, spent().lost) == (0, 0)
    assert reply["usage"]["cached_tokens"] == 4


@pytest.mark.security("S51")
def test_call_that_exceeds_the_budget_is_not_made(run_turn: Callable[..., Message]) -> None:
    calls: list[socket.socket] = []
    reply = run_turn(calls.append, limit=PROMPT + 1000 - 1)
    assert (reply["status"], reply["error"]["code"]) == ("failed", "budget_exceeded")
    assert "The daily budget of this service is used up until 20" in reply["error"]["message"]
    assert calls == []
    assert spent().reserved == 0


@pytest.mark.security("S51")
def test_exceeded_budget_rejects_messages(
    run_turn: Callable[..., Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = steps.create_session()
    run_turn(sends(H, D, E, USAGE, X), caller, limit=1000)
    monkeypatch.setattr(turns, "exceeded_budgets", ExceededBudgets())
    before = snapshots.read(caller).seq
    operations: list[Callable[[], object]] = [
        lambda: turns.submit(caller=caller, content="more"),
        lambda: turns.regenerate(caller=caller, message_id="msg_2"),
    ]
    for operation in operations:
        with pytest.raises(BudgetExceeded, match="daily budget of this service") as error:
            operation()
        assert 0 < error.value.retry_after <= 86_400
    assert snapshots.read(caller).seq == before


def test_turn_waits_while_calls_in_progress_have_reserved_the_rest(
    run_turn: Callable[..., Message],
) -> None:
    other = steps.LeaseHolder.claim_for(steps_with_turn())
    steps.reserve(
        other.lease,
        [Budget(scope=Scope.DEPLOYMENT, period=Period.DAY, limit=Limit(money=10_000))],
        PRICE,
        prompt_tokens=0,
        max_tokens=900,
        min_cost=1,
        min_tokens=1,
        lasts=60,
    )
    calls: list[socket.socket] = []
    reply = run_turn(calls.append, limit=10_000)
    assert (reply["status"], reply["wait"]["reason"], reply["attempt"]) == ("queued", "queue", 0)
    assert calls == []


def steps_with_turn() -> Caller:
    caller = steps.create_session()
    steps.submit(caller)
    return caller


@pytest.mark.parametrize("status", [b"429 Busy", b"500 Error", b"400 Bad"])
def test_rejected_call_costs_nothing(run_turn: Callable[..., Message], status: bytes) -> None:
    run_turn(sends(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"))
    assert (spent().spent, spent().reserved) == (0, 0)


def test_response_without_text_costs_its_prompt(run_turn: Callable[..., Message]) -> None:
    """Vendors charge for it, although it is of no use."""
    run_turn(sends(H, b"data: nonsense\n\n"))
    assert (spent().spent, spent().tokens, spent().reserved) == (PROMPT, PROMPT, 0)


def test_turn_that_another_process_ended_is_settled_by_its_record(
    run_turn: Callable[..., Message],
) -> None:
    """The session is reset while the model replies; the worker notices with its next flush."""
    caller = steps.create_session()

    def reset() -> None:
        (turn,) = active_turns.all()
        turn.append("some text")
        flush_from_thread([turn])
        sessions.reset(caller)
        turn.append("more")
        flush_from_thread([turn])

    with pytest.raises(StopIteration):  # the reply is gone
        run_turn(sends(H, D, E, X, then=reset), caller)
    assert (spent().tokens, spent().spent) == (PROMPT + 3, PROMPT + 30)
    assert (spent().reserved, spent().lost) == (0, 0)


def test_turn_of_a_deleted_session_is_settled_by_its_worker(
    run_turn: Callable[..., Message],
) -> None:
    caller = steps.create_session()

    def delete() -> None:
        (turn,) = active_turns.all()
        turn.append("some text")
        sessions.delete(caller)
        flush_from_thread([turn])

    with pytest.raises(SessionNotFound):
        run_turn(sends(H, D, E, X, then=delete), caller)
    assert (spent().tokens, spent().spent, spent().lost) == (PROMPT + 3, PROMPT + 30, 0)


def test_lost_worker_is_settled_by_the_one_that_recovers_its_turn(
    run_turn: Callable[..., Message], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text counts, and so does the whole prompt, although it contains earlier turns."""
    caplog.set_level(logging.INFO)
    caller = steps.create_session()
    run_turn(sends(H, D, E, USAGE, X), caller)
    before = spent()

    def lose() -> None:
        (turn,) = active_turns.all()
        turn.append("some text")
        flush_from_thread([turn])
        advance(redis, caller.session_id, 20)
        due.recover([caller.session_id], grace=2)

    run_turn(sends(H, D, E, X, then=lose), caller)
    # The prompt has "hello" twice and "Hello" in between.
    assert spent().tokens - before.tokens == 3 * PROMPT + 3
    assert (spent().reserved, spent().lost) == (0, 0)
    record = redis.hget(keys.for_session(caller.session_id).session, "charged_usage")
    assert record == b"%d 3 0" % (3 * PROMPT)


def test_model_without_price_takes_no_reservation(
    run_turn: Callable[..., Message], redis: Redis
) -> None:
    run_turn(sends(H, D, E, USAGE, X), price=None)
    assert redis.keys("chat:{budgets}:*") == []


def test_budget_costs_two_scripts_a_turn(run_turn: Callable[..., Message], redis: Redis) -> None:
    """One before the call, and one in the round trip of the outcome."""

    def scripts_of_a_turn(price: Price | None) -> int:
        caller = steps.create_session()
        redis.config_resetstat()
        run_turn(sends(H, D, E, USAGE, X), caller, price=price)
        stats: dict[str, dict[str, int]] = redis.info("commandstats")
        calls = [
            stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha")
        ]
        return sum(calls) - stats.get("cmdstat_script|load", {"calls": 0})["calls"]

    scripts_of_a_turn(PRICE)  # loads them
    assert scripts_of_a_turn(PRICE) == scripts_of_a_turn(None) + 2
