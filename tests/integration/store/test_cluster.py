"""Redis Cluster: all operations, events, and URLs of the wrong kind."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from kombu import Connection
from pytest_django import Settings

from chat import broker
from chat.broker.transport import reject_cluster_node, transport_path
from chat.domain.errors import ConfigError, StoreUnavailable
from chat.store import keys, partitions, scripts
from chat.store.client import client, execute_commands
from chat.store.loop_client import close_loop_client
from chat.store.pubsub import PubSubClient
from chat.store.server_info import ping
from project.runner.commands import web_argv, worker
from project.runner.healthcheck import is_healthy
from tests.harness.environment import without_parley_variables
from tests.harness.redis_cluster import Cluster, running_cluster
from tests.harness.run_module import run_module
from tests.harness.tiers import thorough
from tests.harness.wait import wait_until
from tests.integration.providers.raw_server import CA, RawServer, forward_to
from tests.integration.store import steps
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.test_round_trips import all_operations


@pytest.fixture(scope="module")
def one_master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Cluster of one node, which rejects scripts that touch two slots."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), masters=1) as cluster:
        yield cluster


@pytest.fixture
def cluster(one_master: Cluster, settings: Settings) -> Iterator[Cluster]:
    """The Cluster, as the server of the store."""
    with store_on(one_master.url, settings):
        yield one_master


@pytest.fixture
def tls_url(one_master: Cluster) -> Iterator[str]:
    """The URL of the Cluster over TLS. Its node announces the port of a proxy, which decrypts."""
    node = one_master.nodes[0]
    with RawServer(forward_to(node.port), certificate="good") as proxy:
        node.command("CONFIG", "SET", "cluster-announce-port", proxy.port)
        yield f"rediss+cluster://127.0.0.1:{proxy.port}?ssl_ca_certs={CA}"
        node.command("CONFIG", "SET", "cluster-announce-port", 0)


@contextmanager
def store_on(url: str, settings: Settings) -> Iterator[None]:
    """Let the store use another server."""
    settings.REDIS_URL = url
    client.cache_clear()
    scripts.read_script.cache_clear()
    yield
    client().close()
    client.cache_clear()
    scripts.read_script.cache_clear()


@contextmanager
def durable_store(directory: Path, settings: Settings) -> Iterator[Cluster]:
    """Run three masters without replicas, which keep their data when killed, as the store."""
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with running_cluster(directory, *options) as cluster, store_on(cluster.url, settings):
        yield cluster


@pytest.mark.usefixtures("cluster")
def test_all_operations_work_on_a_cluster() -> None:
    for operation in all_operations(steps.create_session()).values():
        operation()


def test_events_are_published_to_the_channel_of_their_slot(cluster: Cluster) -> None:
    check_events(cluster)


def test_operations_and_events_use_tls(
    one_master: Cluster, tls_url: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with store_on(tls_url, settings):
        assert is_healthy(tls_url)
        for operation in all_operations(steps.create_session()).values():
            operation()
        check_events(one_master)
    assert not caplog.records
    with store_on(tls_url.partition("?")[0], settings), pytest.raises(StoreUnavailable):
        ping()


def check_events(cluster: Cluster) -> None:
    """Subscribe to a session's events, and receive the first one."""
    caller = steps.create_session()
    channel = keys.for_session(caller.session_id).events.encode()
    received: list[bytes] = []

    def connections() -> int:
        return len(cluster.nodes[0].redis.client_list())

    others = connections()

    async def run() -> None:
        subscriptions = PubSubClient(lambda _, message: received.append(message))
        subscriptions.subscribe(channel)
        task = asyncio.create_task(subscriptions.run())
        await asyncio.to_thread(wait_until, lambda: received)
        await asyncio.to_thread(steps.submit, caller)
        await asyncio.to_thread(wait_until, lambda: len(received) == 2)
        task.cancel()
        await close_loop_client()
        # The end of a TLS connection is an exchange with the server.
        await asyncio.to_thread(wait_until, lambda: connections() <= others)

    asyncio.run(run())
    assert received[0] == b"", "the subscription is confirmed"
    assert received[1].startswith(b"EVENTS 1 1\n")


@pytest.mark.fault("F36")
def test_node_as_a_plain_server_is_refused(cluster: Cluster, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{cluster.nodes[0].port}/0"
    client.cache_clear()
    with pytest.raises(ConfigError, match=r"^REDIS_URL: .* node of a Redis Cluster"):
        partitions.check(is_start=True)


@pytest.mark.fault("F36")
def test_plain_server_as_a_cluster_is_refused(tmp_path: Path, settings: Settings) -> None:
    with (
        closing(RedisServer(tmp_path).start()) as server,
        store_on(f"redis+cluster://127.0.0.1:{server.port}", settings),
        pytest.raises(ConfigError, match=r"^REDIS_URL: .* not a Redis Cluster"),
    ):
        partitions.check(is_start=True)


@pytest.mark.fault("F36")
@pytest.mark.usefixtures("cluster")
def test_cluster_as_the_broker_is_refused(settings: Settings) -> None:
    settings.BROKER_URL = settings.REDIS_URL
    with pytest.raises(ConfigError, match=r"^BROKER_URL: a Redis Cluster cannot be the broker"):
        broker.check_url()


@pytest.mark.fault("F36")
def test_node_as_the_broker_is_refused(one_master: Cluster) -> None:
    url = f"redis://127.0.0.1:{one_master.nodes[0].port}/0"
    with (
        Connection(url, transport=transport_path(url)) as connection,
        pytest.raises(ConfigError, match=r"^BROKER_URL: a Redis Cluster cannot be"),
    ):
        reject_cluster_node(connection.default_channel)


PROCESSES = {
    "web": web_argv(host="127.0.0.1", port=0, shutdown_timeout=1)[1:],
    "worker": worker(env={}).argv[1:],
    "check": ("-m", "manage", "check", "--deploy"),
    "doctor": ("-m", "manage", "doctor"),
}


@pytest.mark.fault("F36")
@pytest.mark.parametrize("name", ["web", "doctor", *thorough("worker", "check")])
def test_no_process_starts_with_a_node_as_the_broker(one_master: Cluster, name: str) -> None:
    node = f"redis://127.0.0.1:{one_master.nodes[0].port}/0"
    env = {**without_parley_variables(os.environ), "REDIS_URL": one_master.url, "BROKER_URL": node}
    _, *argv = PROCESSES[name]
    code, output = run_module(*argv, env=env)
    assert code == (1 if name in {"check", "doctor"} else os.EX_CONFIG), output
    assert "BROKER_URL: a Redis Cluster cannot be the broker" in output


@pytest.mark.usefixtures("cluster")
def test_commands_without_a_script_reach_their_keys() -> None:
    execute_commands([("SET", f"chat:{{{i}}}:x", i) for i in range(50)])
    found = execute_commands([("GET", f"chat:{{{i}}}:x") for i in range(50)])
    assert found == [str(i).encode() for i in range(50)]
    execute_commands([("DEL", f"chat:{{{i}}}:x") for i in range(50)])
