"""A Redis primary, its replica, and a Sentinel that promotes the replica."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from project.runner import redis_server
from project.runner.healthcheck import is_healthy
from project.runner.process import Program
from tests.acceptance.deployment import Deployment
from tests.acceptance.redis_state import RedisClient, connect
from tests.harness.environment import PASSWORD
from tests.harness.ports import free_port
from tests.harness.redis_binary import BINARY, redis_program
from tests.harness.stack import port_of
from tests.harness.wait import wait_until

SENTINEL = """\
bind 127.0.0.1
port {port}
dir "{directory}"
sentinel monitor parley 127.0.0.1 {primary} 1
sentinel auth-pass parley {password}
sentinel down-after-milliseconds parley 500
sentinel failover-timeout parley 3000
"""
LOGIN = 'masterauth "{password}"\nrepl-diskless-sync-delay 0\n'


class ReplicatedRedis:
    """The Redis servers of a deployment, and the Sentinel that monitors them."""

    def __init__(self, deployment: Deployment) -> None:
        """Prepare the servers and the deployment's settings without starting anything."""
        self._deployment = deployment
        self._directory = deployment.stack.directory
        self.primary = deployment.stack.redis
        port = free_port()
        program = redis_program(self._directory / "replica", port=port, password=PASSWORD)
        url = redis_server.build_url(port, PASSWORD)
        self.replica = deployment.stack.add(replace(program, name="replica"), url=url)
        login = LOGIN.format(password=PASSWORD)
        self._configure("redis", login)
        follow = f"replicaof 127.0.0.1 {port_of(self.primary.url)}\n"
        self._configure("replica", login + follow)
        self._port = free_port()
        self.sentinel = deployment.stack.add(self._sentinel_program())
        url = f"sentinel://:{PASSWORD}@127.0.0.1:{self._port}/0?service=parley"
        deployment.stack.env["REDIS_URL"] = url

    def start(self) -> "ReplicatedRedis":
        """Start the servers, and wait until the replica is in sync."""
        for process in (self.primary, self.replica):
            process.start()
        wait_until(self._is_replicated, within=30)
        self.sentinel.start()
        wait_until(self._is_monitored, within=30)
        return self

    def wait_until_in_sync(self) -> None:
        """Wait until the replica has all writes so far. WAIT waits for those of its client only."""
        with connect(self.replica.url) as replica, connect(self.primary.url) as primary:
            written = primary.info("replication")["master_repl_offset"]
            wait_until(lambda: replica.info("replication")["slave_repl_offset"] >= written)

    def disconnect_replica(self) -> None:
        """Stop replication."""
        with connect(self.replica.url) as replica, connect(self.primary.url) as primary:
            replica.config_set("masterauth", "forgotten")
            primary.client_kill_filter(_type="replica")
            wait_until(lambda: replica.info("replication")["master_link_status"] == "down")

    def fail_over(self) -> None:
        """Kill the primary, and wait until the replica is promoted and the Sentinel reports it.

        If the old primary restarted earlier, clients would still write to it and lose these writes,
        unless `min-replicas-to-write` prevents them.
        """
        self.primary.kill()
        self._deployment.redis.close()
        self._deployment.data_url = self.replica.url
        self._deployment.redis = connect(self.replica.url)
        wait_until(lambda: self._sentinel_primary() == port_of(self.replica.url), within=60)
        wait_until(lambda: self._deployment.redis.info("replication")["role"] == "master")

    def rejoin(self) -> None:
        """Start the old primary, and wait until it replicates the new one.

        On a busy machine the Sentinel can take a slow server for dead. It must not promote this
        one, which does not have the latest writes yet.
        """
        self._configure("redis", "replica-priority 0\n")
        self.primary.start()
        wait_until(self._is_replicated, within=60, every=0.1)

    def _is_replicated(self) -> bool:
        for process in (self.primary, self.replica):
            with connect(process.url) as redis:
                info = redis.info("replication")
                if info["role"] == "master" and info["connected_slaves"] == 1:
                    return str(info["slave0"]["state"]) == "online"
        return False

    def _is_monitored(self) -> bool:
        with self._connect_sentinel() as sentinel:
            return bool(sentinel.sentinel_slaves("parley"))

    def _sentinel_primary(self) -> int:
        with self._connect_sentinel() as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name("parley")[1])

    def _connect_sentinel(self) -> RedisClient:
        return connect(f"redis://127.0.0.1:{self._port}")

    def _configure(self, name: str, lines: str) -> None:
        path = Path(self._directory) / name / "redis.conf"
        with path.open("a") as configuration:
            configuration.write(lines)

    def _sentinel_program(self) -> Program:
        directory = self._directory / "sentinel"
        directory.mkdir()
        path = directory / "sentinel.conf"
        path.write_text(
            SENTINEL.format(
                port=self._port,
                directory=directory,
                primary=port_of(self.primary.url),
                password=PASSWORD,
            )
        )
        return Program(
            name="sentinel",
            argv=(BINARY, str(path), "--sentinel"),
            env={},
            is_ready=partial(is_healthy, f"tcp://127.0.0.1:{self._port}"),
            stop_timeout=1.0,
        )
