"""Round trips of operations of the store, and of requests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.conversation import repeats
from chat.conversation import sessions as conversation
from chat.conversation.repeats import Attachment
from chat.conversation.turns import submit as post_turn
from chat.domain import Caller, Principal
from chat.openai_api import chat_completions, response_turns, responses
from chat.openai_api.chat_request import parse_chat_request
from chat.openai_api.response_request import parse_response_request
from chat.protocols.senders import Sender
from chat.protocols.turn import Turn
from chat.store import due, leases, queue_limit, rate_limit, sessions, snapshots, turns
from chat.store.calls import Steps, run
from chat.store.client import client
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import steps
from tests.integration.store.proxy import Proxy, running_proxy
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.steps import LeaseHolder

# Commands in the scripts of a turn; each takes Redis about a microsecond.
COMMANDS = {"submit": 17, "claim": 14, "first append": 8, "append": 6, "finish": 15}


@pytest.fixture
def proxy(
    server: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    # Once a second, a submission sums the queues as well.
    monkeypatch.setattr(queue_limit, "REFRESH_INTERVAL", 3600)
    with running_proxy(server.port) as proxy:
        settings.REDIS_URL = proxy.url
        client.cache_clear()
        yield proxy
        client().close()


def all_operations(caller: Caller) -> dict[str, Callable[[], object]]:
    """Return all operations on one session, to be called in this order."""
    writers: list[LeaseHolder] = []
    return {
        "create": lambda: sessions.create(steps.new_session()),
        "submit": lambda: steps.submit(caller),
        "submit a second": lambda: steps.submit(caller),
        "submit a third": lambda: steps.submit(caller),
        "claim": lambda: writers.append(LeaseHolder.claim_for(caller)),
        "append": lambda: writers[0].append("some text"),
        "renew": lambda: leases.flush([(writers[0].lease, None)]),
        "flush of 5": lambda: leases.flush([(writers[0].lease, None)] * 5),
        "snapshot": lambda: snapshots.read(caller),
        "snapshot, unchanged": lambda: snapshots.read_if_changed(caller, known=5),
        "poll": lambda: snapshots.read_small(caller, known=5, after=-1, limit=50),
        "finish": lambda: writers[0].finish("the end"),
        "claim the second": lambda: writers.append(LeaseHolder.claim_for(caller)),
        "retry": lambda: leases.retry(writers[1].lease, steps.retry()),
        "cancel": lambda: turns.cancel(caller, 6),
        "regenerate": lambda: steps.regenerate(caller, 6),
        "rate": lambda: sessions.set_feedback(caller, 2, b'{"rating":"up","comment":""}'),
        "page": lambda: sessions.page(caller, cursor=None, newer=True, limit=50),
        "message": lambda: sessions.message(caller, 1),
        "events": lambda: sessions.events(caller, after=0, limit=100),
        "update": lambda: sessions.update(caller, b"{}", {"name": b'"x"'}, 60),
        "touch": lambda: sessions.touch(caller),
        "throttle": lambda: rate_limit.throttle("scope", "caller", per_minute=60, burst=9),
        "sweep": lambda: due.claim_due(range(4)),
        "recover of 5": lambda: due.recover([caller.session_id] * 5, grace=2),
        "reset": lambda: sessions.reset(caller),
        "rotate": lambda: sessions.rotate_token(caller, caller.credential),
        "delete": lambda: sessions.delete(caller),
    }


def open_and_post(number: int) -> None:
    """Open a session and post a message, as the native API does."""
    _, session = conversation.open_session(address=f"192.0.2.{number}")
    post_turn(caller=Caller.internal(session.id), content="Hello.")


def sender(number: int) -> Sender:
    principal = Principal(api_key=f"{number:012x}")
    return Sender(identity=principal, address="192.0.2.1", request_id=f"request-{number}")


def attaching(who: Sender) -> Steps[Attachment]:
    return repeats.attach.steps(who.identity, who.request_id.encode(), key="", is_repeated=False)


def create_response(number: int) -> Turn:
    who, request = sender(number), parse_response_request({"input": "Hello."})
    return run(response_turns.start(request, who, attaching(who)))


def continue_response(previous: Turn, number: int) -> Turn:
    who = sender(1)
    response_id = responses.to_json(previous)["id"]
    body = {"input": f"Hello {number}.", "model": "default", "previous_response_id": response_id}
    return run(response_turns.start(parse_response_request(body), who, attaching(who)))


def create_completion(number: int) -> None:
    who = sender(number)
    body = {"messages": [{"role": "user", "content": "Hello."}], "model": "default"}
    run(chat_completions.start(parse_chat_request(body), who, attaching(who)))


@needs_one_server
def test_protocols_take_fewer_round_trips_than_the_native_calls(proxy: Proxy) -> None:
    for warm_up in (open_and_post, create_response, create_completion):
        warm_up(9)  # loads the scripts
    last = continue_response(create_response(1), 9)
    assert proxy.count_round_trips(lambda: open_and_post(2)) == 4
    assert proxy.count_round_trips(lambda: create_response(2)) == 3
    assert proxy.count_round_trips(lambda: create_completion(3)) == 3
    assert proxy.count_round_trips(lambda: continue_response(last, 2)) == 2


@needs_one_server
def test_each_operation_is_one_round_trip(proxy: Proxy) -> None:
    for operation in all_operations(steps.create_session()).values():
        operation()  # loads the script
    operations = all_operations(steps.create_session())
    trips = {name: proxy.count_round_trips(operation) for name, operation in operations.items()}
    assert trips == dict.fromkeys(operations, 1)


def commands_of(redis: Any, operation: Callable[[], object]) -> int:
    """Return the commands that Redis executes inside the scripts of an operation."""
    redis.config_resetstat()
    operation()
    stats = redis.info("commandstats")
    return sum(
        each["calls"]
        for name, each in stats.items()
        if name not in {"cmdstat_evalsha", "cmdstat_config|resetstat", "cmdstat_info"}
    )


@needs_one_server
def test_scripts_of_a_turn_execute_few_commands(redis: Redis) -> None:
    warm, caller = steps.create_session(), steps.create_session()
    steps.submit(warm)
    steps.answer_next_turn(warm)
    writers: list[LeaseHolder] = []
    turn: dict[str, Callable[[], object]] = {
        "submit": lambda: steps.submit(caller),
        "claim": lambda: writers.append(LeaseHolder.claim_for(caller)),
        "first append": lambda: writers[0].append("some text"),
        "append": lambda: writers[0].append("more text"),
        "finish": lambda: writers[0].finish("the end"),
    }
    for operation in turn.values():  # of the session's first turn
        operation()
    writers.clear()
    assert {name: commands_of(redis, operation) for name, operation in turn.items()} == COMMANDS
