"""Every operation of the store is one round trip."""

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from chat.domain import Caller
from chat.store import due, leases, queue_limit, rate_limit, sessions, turns
from chat.store.client import client
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import steps
from tests.integration.store.proxy import Proxy, running_proxy
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.steps import LeaseHolder


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
        "snapshot": lambda: sessions.snapshot(caller),
        "snapshot, unchanged": lambda: sessions.snapshot_if_changed(caller, known=5),
        "poll": lambda: sessions.small_snapshot(caller, known=5, after=-1, limit=50),
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


@needs_one_server
def test_each_operation_is_one_round_trip(proxy: Proxy) -> None:
    for operation in all_operations(steps.create_session()).values():
        operation()  # loads the script
    operations = all_operations(steps.create_session())
    trips = {name: proxy.count_round_trips(operation) for name, operation in operations.items()}
    assert trips == dict.fromkeys(operations, 1)
