"""A complete installation for tests: Redis, the fake model, web processes and workers."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from project.runner import commands, redis_server
from project.runner.process import Program
from project.runner.stack import fake_model_env
from tests.harness.cluster_process import ClusterProcess
from tests.harness.environment import PASSWORD, without_parley_variables
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.redis_binary import redis_program
from tests.harness.redis_cluster import ON_CLUSTER

# All clients of a test have one address, and poll more often than people do.
NO_READ_LIMITS = {"CHAT_READS_PER_MINUTE": "0", "CHAT_ADDRESS_READS_PER_MINUTE": "0"}


class Stack:
    """One installation of Parley, with its state in `directory`.

    `redis`, `model`, `web(n)` and `worker(n)` are processes; `start` starts one of each.
    """

    # Their logs are added to the report of a failed test.
    running: ClassVar[list["Stack"]] = []

    def __init__(
        self,
        directory: Path,
        *,
        env: Mapping[str, str] | None = None,
        redis_port: int | None = None,
        appendonly: bool = False,
        appendfsync: str = "no",
        model_options: tuple[str, ...] = ("--record",),
        on_cluster: bool = ON_CLUSTER,
    ) -> None:
        """Prepare a stack without starting anything.

        env: settings for all processes, such as `CHAT_LEASE_TTL`; they override the stack's own.
        appendonly: Redis keeps its data when it is killed. With `appendfsync="everysec"`, it can
        lose data while the disk is busy.
        on_cluster: keep the data on a Redis Cluster of three masters.
        """
        self.directory = directory
        self._processes: dict[str, Process] = {}
        self.running.append(self)
        port = redis_port or free_port()
        # On a Cluster, this server is the broker.
        server_port = free_port() if on_cluster else port
        program = redis_program(
            directory / "redis",
            port=server_port,
            password=PASSWORD,
            appendonly=appendonly,
            appendfsync=appendfsync,
        )
        self.redis = self.add(program, url=redis_server.build_url(server_port, PASSWORD))
        self.broker_url = self.redis.url
        if on_cluster:
            self.redis = ClusterProcess(
                directory, self.redis, port=port, password=PASSWORD, appendonly=appendonly
            )
            self._processes["redis"] = self.redis
        model_port = free_port()
        # For other stacks that use the same servers.
        self.redis_env = {"REDIS_URL": self.redis.url}
        self.redis_env |= {"BROKER_URL": self.broker_url} if on_cluster else {}
        own = {**self.redis_env, "PARLEY_HOME": str(directory), "PYTHONUNBUFFERED": "1"}
        self.env = (
            without_parley_variables(os.environ)
            | own
            | NO_READ_LIMITS
            | fake_model_env(model_port)
            | dict(env or {})
        )
        self.model = self.add(
            commands.fake_model(*model_options, port=model_port, env=self.env),
            url=f"http://127.0.0.1:{model_port}",
        )

    def start(self, *, webs: int = 1, workers: int = 1) -> Self:
        """Start all processes, and wait until they are ready."""
        self.redis.start()
        return self.start_others(webs=webs, workers=workers)

    def start_others(self, *, webs: int = 1, workers: int = 1) -> Self:
        """Start all processes except Redis."""
        started = [self.model, *map(self.worker, range(workers)), *map(self.web, range(webs))]
        for process in started:
            process.launch()
        for process in started:
            process.wait_until_ready()
        return self

    def web(self, number: int = 0) -> Process:
        """Return web process `number`, started or not."""
        if f"web{number}" in self._processes:
            return self._processes[f"web{number}"]
        port = free_port()
        program = commands.web(f"web{number}", port=port, env=self.env)
        return self.add(program, url=f"http://127.0.0.1:{port}")

    def worker(self, number: int = 0) -> Process:
        """Return worker `number`, started or not."""
        name = f"worker{number}"
        if name in self._processes:
            return self._processes[name]
        return self.add(commands.worker(name, env=self.env))

    def broker(self) -> Process:
        """Add a second Redis as the broker of all web processes and workers created later."""
        port = free_port()
        program = redis_program(self.directory / "broker", port=port, password=PASSWORD)
        broker = self.add(
            replace(program, name="broker"), url=redis_server.build_url(port, PASSWORD)
        )
        self.env["BROKER_URL"] = broker.url
        return broker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.shut_down()

    def shut_down(self) -> None:
        """Kill all processes, even frozen ones."""
        for process in reversed(self._processes.values()):
            process.ensure_stopped()
        if self in self.running:
            self.running.remove(self)

    def log_tails(self, lines: int) -> str:
        """Return the last lines of each process's log."""
        return "\n".join(
            f"{process.program.name}: {line}"
            for process in self._processes.values()
            for line in process.log.splitlines()[-lines:]
        )

    def add(self, program: Program, *, url: str = "") -> Process:
        """Add another program, which `shut_down` kills with the others."""
        process = Process(program, self.directory / f"{program.name}.log", url=url)
        self._processes[program.name] = process
        return process


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
