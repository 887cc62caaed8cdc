"""The scripts that start Redis in Kubernetes, with loopback addresses as pods."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT, Program
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.redis_binary import BINARY
from tests.harness.redis_cluster import SLOTS
from tests.harness.wait import wait_until

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="needs all addresses of 127.0.0.0/8"),
]

FOLDER = ROOT / "deploy" / "kubernetes"
PASSWORDS = {"REDIS_PASSWORD": "parley-pw", "INTERNAL_PASSWORD": "internal-pw"}
# In place of valkey-cli, which the packages for tests do not contain.
CLI = f"""#!{sys.executable}
import os, sys
from redis.connection import Connection
words = sys.argv[1:]
options = {{}}
while words[0].startswith("-"):
    name = words.pop(0)
    options[name] = words.pop(0)
if "--user" in options:
    login = {{"username": options["--user"], "password": os.environ["REDISCLI_AUTH"]}}
else:
    login = {{}}
host, port = options["-h"], int(options["-p"])
connection = Connection(host=host, port=port, decode_responses=True, **login)
connection.send_command(*words)
found = connection.read_response()
print(*(found if isinstance(found, list) else [found]), sep="\\n")
"""
GETENT = "#!/bin/sh\necho $2 $2\n"


class Pods:
    """Starts scripts of an overlay; each address has its own directory."""

    def __init__(self, overlay: str, directory: Path) -> None:
        self._scripts = FOLDER / overlay
        self._directory = directory
        self.port, self.sentinel_port = free_port(), free_port()
        self._processes: dict[str, Process] = {}
        tools = directory / "tools"
        tools.mkdir()
        for name, text in (("valkey-cli", CLI), ("getent", GETENT)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self._path = f"{tools}:{Path(BINARY).parent}:{os.environ['PATH']}"

    def start(self, script: str, number: int, hosts: list[str]) -> Process:
        """Start a script in pod `number` without waiting."""
        data = self._directory / f"data{number}"
        data.mkdir(exist_ok=True)
        host = hosts[number]
        port = self.sentinel_port if script == "sentinel.sh" else self.port
        env = {
            **PASSWORDS,
            "PATH": self._path,
            "SCRIPTS": str(self._scripts),
            "DATA": str(data),
            "HOST": host,
            "ADDRESS": host,
            "BIND": host,
            "HOSTS": " ".join(hosts),
            "PORT": str(self.port),
            "SENTINEL_PORT": str(self.sentinel_port),
            "DOWN_AFTER": "1000",
            "NODE_TIMEOUT": "1500",
        }
        name = f"{script}-{number}"
        program = Program(
            name=name,
            argv=("sh", str(self._scripts / script)),
            env=env,
            is_ready=partial(is_healthy, f"tcp://{host}:{port}"),
            stop_timeout=2,
        )
        process = Process(program, self._directory / f"{name}.log")
        self._processes[name] = process
        process.launch()
        return process

    def start_all(self, scripts: tuple[str, ...], hosts: list[str]) -> None:
        started = [self.start(each, i, hosts) for i in range(len(hosts)) for each in scripts]
        for process in started:
            process.wait_until_ready()

    def kill(self, *numbers: int) -> None:
        """Kill all processes of these pods."""
        for name, process in self._processes.items():
            if int(name.rpartition("-")[2]) in numbers:
                process.ensure_stopped()


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Callable[[str], Pods]]:
    with ExitStack() as exit_stack:

        def create(overlay: str) -> Pods:
            created = Pods(overlay, tmp_path)
            exit_stack.callback(created.kill, *range(6))
            return created

        yield create


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """Return a function that connects to an address and port, as a user or without one."""
    with ExitStack() as exit_stack:

        def open_client(host: str, port: int, user: str = "") -> Any:
            key = "REDIS_PASSWORD" if user == "parley" else "INTERNAL_PASSWORD"
            login = {"username": user, "password": PASSWORDS[key]} if user else {}
            redis: Any = Redis(host, port, decode_responses=True, **login)  # type: ignore[arg-type]
            return exit_stack.enter_context(redis)

        yield open_client


def succeeds(act: Callable[[], Any]) -> bool:
    try:
        return bool(act())
    except RedisError:
        return False


def test_sentinels_promote_a_replica_and_restarted_pods_follow_it(
    pods: Callable[[str], Pods], connect: Callable[..., Any]
) -> None:
    sentinel = pods("sentinel")
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    scripts = ("redis.sh", "sentinel.sh")
    sentinel.start_all(scripts, hosts)
    clients = [connect(host, sentinel.port, "parley") for host in hosts]
    wait_until(lambda: clients[0].info("replication")["connected_slaves"] == 2, within=30)
    watcher = connect(hosts[2], sentinel.sentinel_port)
    wait_until(lambda: watcher.sentinel_master("parley")["num-other-sentinels"] == 2, within=30)
    wait_until(lambda: watcher.sentinel_master("parley")["num-slaves"] == 2, within=30)
    wait_until(partial(succeeds, lambda: clients[0].set("chat:x", "1")), within=30)
    assert clients[0].wait(2, 5000) == 2

    def primary() -> str:
        return str(watcher.sentinel_get_master_addr_by_name("parley")[0])

    sentinel.kill(0)
    wait_until(lambda: primary() != hosts[0], within=60)
    promoted = hosts.index(primary())
    wait_until(partial(succeeds, lambda: clients[promoted].set("chat:x", "2")), within=60)
    for script in scripts:
        sentinel.start(script, 0, hosts).wait_until_ready()
    wait_until(partial(succeeds, lambda: clients[0].get("chat:x") == "2"), within=60)
    assert clients[0].info("replication")["role"] == "slave"

    sentinel.kill(0, 1, 2)
    sentinel.start_all(scripts, hosts)
    wait_until(partial(succeeds, lambda: clients[promoted].set("chat:x", "3")), within=60)
    assert clients[promoted].info("replication")["role"] == "master"


def test_cluster_survives_new_addresses_of_all_pods(
    pods: Callable[[str], Pods], connect: Callable[..., Any]
) -> None:
    cluster = pods("cluster")

    def start(first: int) -> list[str]:
        hosts = [f"127.0.0.{number}" for number in range(first, first + 6)]
        cluster.start_all(("redis.sh",), hosts)
        return hosts

    def is_complete(nodes: list[Any]) -> bool:
        links = [node.info("replication").get("master_link_status", "up") for node in nodes]
        infos = [node.execute_command("CLUSTER", "INFO") for node in nodes]
        return set(links) == {"up"} and all(
            "cluster_state:ok" in info and "cluster_known_nodes:6" in info for info in infos
        )

    nodes = [connect(host, cluster.port, "node") for host in start(1)]
    wait_until(
        lambda: all("cluster_known_nodes:6" in n.execute_command("CLUSTER", "INFO") for n in nodes),
        within=60,
        every=0.2,
    )
    # As `valkey-cli --cluster create` does.
    for number, node in enumerate(nodes[:3]):
        first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
    for number, node in enumerate(nodes[3:]):
        replicate = ("CLUSTER", "REPLICATE", nodes[number].execute_command("CLUSTER", "MYID"))
        wait_until(partial(succeeds, partial(node.execute_command, *replicate)), within=30)
    wait_until(partial(succeeds, lambda: is_complete(nodes)), within=60, every=0.2)
    for key in ("chat:{0}:x", "chat:{1}:x", "chat:{2}:x"):
        assert any(
            succeeds(partial(connect(f"127.0.0.{n}", cluster.port, "parley").set, key, "1"))
            for n in (1, 2, 3)
        )

    cluster.kill(*range(6))
    nodes = [connect(host, cluster.port, "node") for host in start(11)]
    wait_until(partial(succeeds, lambda: is_complete(nodes)), within=60, every=0.2)
    values = [
        connect(f"127.0.0.{n}", cluster.port, "parley").get("chat:{0}:x")
        for n in range(11, 14)
        if succeeds(partial(connect(f"127.0.0.{n}", cluster.port, "parley").get, "chat:{0}:x"))
    ]
    assert values == ["1"]
