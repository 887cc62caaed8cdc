"""A Redis Cluster that tests use like the process of one server."""

import signal
from pathlib import Path

from tests.harness.processes import Process
from tests.harness.redis_cluster import Cluster
from tests.harness.wait import wait_until


class ClusterProcess(Process):
    """Three masters, and the server that is their broker. Stopping it is killing it."""

    def __init__(
        self, directory: Path, broker: Process, *, port: int, password: str, appendonly: bool
    ) -> None:
        """port: of the first master."""
        self._broker = broker
        options = ("--appendonly", "yes", "--appendfsync", "no") if appendonly else ()
        self._cluster = Cluster(directory / "cluster", *options, password=password, first_port=port)
        self._was_started = False
        super().__init__(broker.program, directory / "cluster.log", url=self._cluster.url)

    def launch(self) -> None:
        self._broker.launch()
        if self._was_started:
            for node in self._cluster.nodes:
                node.start()
        else:
            self._cluster.start()
        self._was_started = True

    def wait_until_ready(self) -> None:
        self._broker.wait_until_ready()
        wait_until(self._cluster.is_ready, within=30)

    @property
    def is_running(self) -> bool:
        return any(node.is_running for node in self._cluster.nodes)

    @property
    def log(self) -> str:
        """That of the broker. Masters log nothing."""
        return self._broker.log

    @property
    def pids(self) -> list[int]:
        """Of the masters."""
        return [node.child.pid for node in self._cluster.nodes]

    @property
    def broker_pid(self) -> int:
        return self._broker.pid

    def signal(self, number: signal.Signals) -> None:
        self._broker.signal(number)
        for node in self._cluster.nodes:
            node.child.signal(number)

    def kill(self) -> None:
        self._broker.kill()
        for node in self._cluster.nodes:
            node.kill()

    def stop(self, *, within: float = 30.0) -> int:  # noqa: ARG002 - nothing to wait for
        self.kill()
        return -signal.SIGKILL

    def ensure_stopped(self) -> None:
        self._broker.ensure_stopped()
        self._cluster.close()
