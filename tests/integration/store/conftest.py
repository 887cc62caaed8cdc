"""One Redis server for the tests of the store; each test starts empty and leaves no stray keys."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis
from redis.crc import key_slot

from chat.domain import Caller, Model
from chat.store import calls, counters, loop_client, scripts
from chat.store.client import client
from chat.store.queue_limit import queue_limit
from chat.store.routing import Exchange
from chat.store.scripts import Call, ScriptCall
from chat.store.topology import Topology
from tests.harness.redis_cluster import ON_CLUSTER, Cluster, running_cluster
from tests.integration.store import keyspace, steps
from tests.integration.store.limiter_simulation import Simulation
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.state_machine import model_base as model
from tests.integration.store.virtual_clock import VirtualClock


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer | Cluster]:
    """One server, or a Cluster if the environment says so: `make test-cluster`."""
    if ON_CLUSTER:
        with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
            yield cluster
        return
    with closing(RedisServer(tmp_path_factory.mktemp("redis")).start()) as started:
        yield started


@pytest.fixture(autouse=True)
def redis(server: RedisServer | Cluster, settings: Settings) -> Iterator[Redis]:
    """A raw client of the server that the store uses."""
    server.redis.flushall()
    queue_limit.reset()
    counters.drain()
    settings.REDIS_URL = server.url
    settings.CHAT_STORE_TIMEOUT = 20  # a busy machine stalls for a second or two
    client.cache_clear()
    yield server.redis
    client().close()
    contents = keyspace.read(server.redis)
    keyspace.assert_no_stray_keys(contents.expire_at, contents.outbox)
    client.cache_clear()


@pytest.fixture(autouse=True)
def check_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that executes a script with keys in two slots, which a Cluster rejects."""
    execute = scripts.execute_calls

    def execute_checked(sent: Sequence[Call], topology: Topology) -> Exchange[list[Any]]:
        for call in sent:
            if isinstance(call, ScriptCall):
                slots = {key_slot(key.encode()) for key in call.keys}
                assert len(slots) == 1, f"keys in several slots: {call.keys}"
        return execute(sent, topology)

    for module in (calls, loop_client):
        monkeypatch.setattr(module, "execute_calls", execute_checked)


@pytest.fixture
def caller() -> Caller:
    """The caller of a session with two waiting turns."""
    created = steps.create_session()
    steps.submit(created, "one")
    steps.submit(created, "two")
    return created


@pytest.fixture
def model_settings(settings: Settings) -> None:
    """The durations and limits of the model; all sessions share one partition."""
    settings.CHAT_PARTITIONS = 1
    settings.CHAT_LEASE_TTL = model.LEASE
    settings.CHAT_WAKE_GRACE = model.GRACE
    settings.CHAT_SWEEP_INTERVAL = model.SWEEP_HOLD / 2
    settings.CHAT_MAX_SESSION_AGE = model.MAX_AGE
    settings.CHAT_MAX_QUEUED_TURNS_PER_SESSION = model.MAX_QUEUED_PER_SESSION
    settings.CHAT_MAX_QUEUED_TURNS = model.MAX_QUEUED
    settings.CHAT_MAX_ATTEMPTS = model.MAX_ATTEMPTS
    settings.CHAT_MESSAGES_PER_MINUTE = 0
    settings.CHAT_CHANGES_PER_MINUTE = 0


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis: Redis) -> Iterator[VirtualClock]:
    if ON_CLUSTER:
        pytest.skip("scripts read the virtual clock from a key, which is on one node only")
    virtual = VirtualClock(tmp_path / "lua_with_clock", redis)
    monkeypatch.setattr(scripts, "SCRIPTS_DIR", virtual.directory)
    scripts.read_script.cache_clear()
    yield virtual
    scripts.read_script.cache_clear()
    redis.flushall()


@pytest.fixture
def simulate(clock: VirtualClock, redis: Redis) -> Callable[[Model], Simulation]:
    """Return a function that starts a simulation with an empty Redis."""

    def start(model: Model) -> Simulation:
        redis.flushall()
        clock.pass_to(clock.now)
        return Simulation(clock, model)

    return start
