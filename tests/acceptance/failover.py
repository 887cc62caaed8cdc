"""A primary, its replica, and a Sentinel that puts the one in the other's place."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from project.runner import commands, redis_server
from project.runner.healthcheck import is_healthy
from project.runner.process import Program
from tests.acceptance.kept import Reader, reader
from tests.acceptance.scene import Scene
from tests.harness.environment import PASSWORD
from tests.harness.ports import free_port
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


class Pair:
    """Two Redis servers of a scene and who watches them."""

    def __init__(self, here: Scene) -> None:
        """Prepare all three and lead the scene's processes to them; nothing is started yet."""
        self._here = here
        self._directory = here.stack.directory
        self.primary = here.stack.redis
        port = free_port()
        program = commands.redis(self._directory / "replica", port=port, password=PASSWORD)
        url = redis_server.build_url(port, PASSWORD)
        self.replica = here.stack.add(replace(program, name="replica"), url=url)
        login = LOGIN.format(password=PASSWORD)
        self._tell("redis", login)
        follow = f"replicaof 127.0.0.1 {port_of(self.primary.url)}\n"
        self._tell("replica", login + follow)
        self._port = free_port()
        self.sentinel = here.stack.add(self._sentinel())
        place = f"sentinel://:{PASSWORD}@127.0.0.1:{self._port}/0?service=parley"
        here.stack.env["REDIS_URL"] = place

    def start(self) -> "Pair":
        """Start the servers, and return when the replica holds what there is."""
        for process in (self.primary, self.replica):
            process.start()
        wait_until(self._is_followed, within=30)
        self.sentinel.start()
        wait_until(self._is_known, within=30)
        return self

    def cut(self) -> None:
        """Let the replica hear no more of the primary."""
        with reader(self.replica.url) as replica, reader(self.primary.url) as primary:
            replica.config_set("masterauth", "forgotten")
            primary.client_kill_filter(_type="replica")
            wait_until(lambda: replica.info("replication")["master_link_status"] == "down")

    def mend(self) -> None:
        """Let it catch up."""
        with reader(self.replica.url) as replica:
            replica.config_set("masterauth", PASSWORD)
        wait_until(self._is_followed, within=30)

    def fail_over(self) -> None:
        """Kill the primary and return when the replica is in its place, and everybody told so.

        One that comes back before that finds clients who take it for the primary: they lose what
        it takes in, unless `min-replicas-to-write` keeps it from taking in anything.
        """
        self.primary.kill()
        self._here.redis.close()
        self._here.data_url = self.replica.url
        self._here.redis = reader(self.replica.url)
        wait_until(lambda: self._told_primary() == port_of(self.replica.url), within=60)
        wait_until(lambda: self._here.redis.info("replication")["role"] == "master")

    def come_back(self) -> None:
        """Start the old primary and return when it follows the new one.

        The Sentinel takes a server that a busy machine lets wait for dead; it must not put this one
        back in its place, which does not hold yet what was written since.
        """
        self._tell("redis", "replica-priority 0\n")
        self.primary.start()
        wait_until(self._is_followed, within=60, every=0.1)

    def _is_followed(self) -> bool:
        for process in (self.primary, self.replica):
            with reader(process.url) as redis:
                told = redis.info("replication")
                if told["role"] == "master" and told["connected_slaves"] == 1:
                    return str(told["slave0"]["state"]) == "online"
        return False

    def _is_known(self) -> bool:
        with self._asked() as sentinel:
            return bool(sentinel.sentinel_slaves("parley"))

    def _told_primary(self) -> int:
        with self._asked() as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name("parley")[1])

    def _asked(self) -> Reader:
        return reader(f"redis://127.0.0.1:{self._port}")

    def _tell(self, name: str, lines: str) -> None:
        path = Path(self._directory) / name / "redis.conf"
        with path.open("a") as configuration:
            configuration.write(lines)

    def _sentinel(self) -> Program:
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
            argv=(redis_server.find_server(), str(path), "--sentinel"),
            env={},
            is_ready=partial(is_healthy, f"tcp://127.0.0.1:{self._port}"),
            stop_timeout=1.0,
        )
