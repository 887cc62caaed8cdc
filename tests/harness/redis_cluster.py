"""A Redis Cluster of real servers on loopback ports."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.retry import Retry

from project.runner.healthcheck import accepts_connections
from project.runner.process import ChildProcess, Program
from tests.harness.ports import free_port
from tests.harness.redis_binary import BINARY
from tests.harness.wait import wait_until

# Whether the tests use a Cluster of three masters instead of one server: `make test-cluster`.
ON_CLUSTER = bool(os.environ.get("TEST_REDIS_CLUSTER"))
ONE_SERVER = "it uses a proxy, a replica, the clock or the figures of one server"
needs_one_server = pytest.mark.skipif(ON_CLUSTER, reason=ONE_SERVER)
SLOTS = 16384
# ms without a reply after which a node counts as failed.
NODE_TIMEOUT = 1500


def connect(url: str, **options: Any) -> Any:
    """Return redis-py's client of a server or, by one of its nodes, of a Cluster."""
    if url.startswith("redis+cluster://"):
        login, at, hosts = url.removeprefix("redis+cluster://").rpartition("@")
        first = f"redis://{login}{at}{hosts.partition(',')[0]}"
        return RedisCluster.from_url(first, **options)
    return Redis.from_url(url, **options)


def require_one_server() -> None:
    """Skip the test on a Cluster."""
    if ON_CLUSTER:
        pytest.skip(ONE_SERVER)


def servers(redis: Any) -> list[Redis]:
    """Return clients of the only server, or of all masters."""
    if isinstance(redis, RedisCluster):
        cluster: Any = redis
        return [cluster.get_redis_connection(node) for node in cluster.get_primaries()]
    return [redis]


def subscribed_channels(redis: Any) -> list[bytes]:
    """Return the channels with subscribers, of all masters."""
    if isinstance(redis, RedisCluster):
        asked: list[Any] = servers(redis)
        return [name for each in asked for name in each.execute_command("PUBSUB", "SHARDCHANNELS")]
    channels: list[bytes] = redis.pubsub_channels()
    return channels


class Node:
    """One server of a Cluster."""

    def __init__(
        self, directory: Path, *options: str, port: int = 0, password: str | None = None
    ) -> None:
        directory.mkdir(parents=True)
        self.port = port or free_port()
        # For the other nodes.
        self.bus_port = free_port()
        self.redis: Any = Redis(
            port=self.port, password=password, decode_responses=True, retry=Retry(NoBackoff(), 1)
        )
        argv = [BINARY, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        argv += ["--dir", str(directory), "--cluster-config-file", "nodes.conf"]
        argv += ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT)]
        argv += ["--cluster-port", str(self.bus_port)]
        # A dead node makes only its own sessions unavailable: docs/scaling.md.
        argv += ["--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"]
        argv += ["--loglevel", "warning", *options]
        self._program = Program(name=directory.name, argv=tuple(argv), env={}, stop_timeout=1)
        self._child: ChildProcess | None = None

    def start(self) -> None:
        """Start the process and wait until it listens."""
        self._child = ChildProcess(self._program, output=subprocess.DEVNULL)
        wait_until(lambda: accepts_connections(self.port))

    @property
    def child(self) -> ChildProcess:
        assert self._child is not None
        return self._child

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.exit_code is None

    def kill(self) -> None:
        """Kill the process, like a crash."""
        self.child.kill()

    def freeze(self) -> None:
        """Stop the process until `thaw`."""
        self.child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.signal(signal.SIGCONT)

    def command(self, *words: Any) -> Any:
        """Execute a command on this node."""
        return self.redis.execute_command(*words)

    @property
    def id(self) -> str:
        return str(self.command("CLUSTER", "MYID"))

    def close(self) -> None:
        self.redis.close()
        if self._child is not None:
            self.kill()


class Cluster:
    """Masters with the same number of slots, and replicas of each."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        masters: int = 3,
        replicas: int = 0,
        password: str | None = None,
        first_port: int = 0,
    ) -> None:
        """replicas: of each master; password: of all nodes; first_port: of the first node."""
        count = masters * (1 + replicas)
        if password:
            options += ("--requirepass", password, "--masterauth", password)
        ports = [first_port, *[0] * (count - 1)]
        nodes = [
            Node(directory / f"n{number}", *options, port=port, password=password)
            for number, port in enumerate(ports)
        ]
        self._password = password
        self._login = f":{password}@" if password else ""
        self.nodes = nodes
        self.masters, self.replicas = nodes[:masters], nodes[masters:]

    @property
    def url(self) -> str:
        """The URL of the Cluster, with two of its nodes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])
        return f"redis+cluster://{self._login}{hosts}"

    def start(self) -> "Cluster":
        """Start all nodes and wait until they know each other and serve all slots."""
        for node in self.nodes:
            node.start()
        for number, master in enumerate(self.masters):
            first, last = self._slots_of(number)
            master.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            master.command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            first_node = self.nodes[0]
            node.command("CLUSTER", "MEET", "127.0.0.1", first_node.port, first_node.bus_port)
        wait_until(self._is_connected, within=30)
        for number, replica in enumerate(self.replicas):
            replica.command("CLUSTER", "REPLICATE", self.masters[number % len(self.masters)].id)
        wait_until(self.is_ready, within=30)
        return self

    def _slots_of(self, number: int) -> tuple[int, int]:
        count = len(self.masters)
        return number * SLOTS // count, (number + 1) * SLOTS // count - 1

    def _is_connected(self) -> bool:
        return all(
            len(node.command("CLUSTER", "NODES").splitlines()) == len(self.nodes)
            and "handshake" not in node.command("CLUSTER", "NODES")
            for node in self.nodes
        )

    def is_ready(self, but: Node | None = None) -> bool:
        """Return whether all nodes say that all slots are served, and replicas are in sync."""
        running = [node for node in self.nodes if node is not but]
        return all(
            "cluster_state:ok" in node.command("CLUSTER", "INFO")
            and "cluster_slots_assigned:16384" in node.command("CLUSTER", "INFO")
            and node.redis.info("replication").get("master_link_status", "up") == "up"
            for node in running
        )

    @cached_property
    def redis(self) -> Any:
        """A client that decodes nothing, like that of a single server."""
        return connect(self.url)

    def master_of(self, slot: int) -> Node:
        """Return the node that serves a slot."""
        for node in self.nodes:
            if node.is_running:
                for first, last, (_, port, *_), *_ in node.command("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(each for each in self.nodes if each.port == port)
        raise LookupError(f"no node serves slot {slot}")

    def move_slot(self, slot: int, target: Node) -> None:
        """Move a slot with its keys to another master, as redis-cli does."""
        source = self.master_of(slot)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            address = ("127.0.0.1", target.port, "", 0, 10_000)
            auth = ("AUTH", self._password) if self._password else ()
            source.command("MIGRATE", *address, "REPLACE", *auth, "KEYS", *keys)
        for node in (target, source):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def close(self) -> None:
        if "redis" in vars(self):
            self.redis.close()
        for node in self.nodes:
            node.close()


@contextmanager
def running_cluster(
    directory: Path,
    *options: str,
    masters: int = 3,
    replicas: int = 0,
    password: str | None = None,
) -> Iterator[Cluster]:
    """Run a Cluster; without replicas, a dead master's slots are unavailable until it returns."""
    cluster = Cluster(directory, *options, masters=masters, replicas=replicas, password=password)
    try:
        yield cluster.start()
    finally:
        cluster.close()
