"""Redis, the fake model, webs and workers as one thing, each of them at a test's mercy."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from project.runner import commands, redis_server
from project.runner.process import Program
from project.runner.stack import fake_model_env
from tests.harness.environment import PASSWORD, clean
from tests.harness.ports import free_port
from tests.harness.processes import Process


class Stack:
    """A Parley of its own, with its state in `directory`.

    `redis`, `model`, `web(n)` and `worker(n)` are processes; `start` starts the usual ones.
    """

    not_ended: ClassVar[list["Stack"]] = []
    """For whoever has to tell why a test failed."""

    def __init__(
        self,
        directory: Path,
        *,
        env: Mapping[str, str] | None = None,
        redis_port: int | None = None,
        appendonly: bool = False,
        appendfsync: str = "no",
        model_options: tuple[str, ...] = ("--record",),
    ) -> None:
        """Prepare a stack without starting anything.

        `env` holds knobs (`CHAT_LEASE_TTL` and the like) for all its processes, and overrides what
        the stack would set. `appendonly` lets Redis survive being killed, as long as it does
        not hold back what it writes while the disk syncs, as it does with `everysec`.
        """
        self.directory = directory
        self._processes: dict[str, Process] = {}
        self.not_ended.append(self)
        port = redis_port or free_port()
        self.redis = self.add(
            commands.redis(
                directory / "redis",
                port=port,
                password=PASSWORD,
                appendonly=appendonly,
                appendfsync=appendfsync,
            ),
            url=redis_server.build_url(port, PASSWORD),
        )
        model_port = free_port()
        own = {"REDIS_URL": self.redis.url, "PARLEY_HOME": str(directory), "PYTHONUNBUFFERED": "1"}
        self.env = clean(os.environ) | own | fake_model_env(model_port) | dict(env or {})
        self.model = self.add(
            commands.fake_model(*model_options, port=model_port, env=self.env),
            url=f"http://127.0.0.1:{model_port}",
        )

    def start(self, *, webs: int = 1, workers: int = 1) -> Self:
        """Start Redis, the model, and so many webs and workers, and wait until they are ready."""
        self.redis.start()
        return self.start_others(webs=webs, workers=workers)

    def start_others(self, *, webs: int = 1, workers: int = 1) -> Self:
        """Start all but Redis."""
        started = [self.model, *map(self.worker, range(workers)), *map(self.web, range(webs))]
        for process in started:
            process.launch()
        for process in started:
            process.wait_until_ready()
        return self

    def web(self, number: int = 0) -> Process:
        """Return web process `number`, which may have to be started."""
        if f"web{number}" in self._processes:
            return self._processes[f"web{number}"]
        port = free_port()
        program = commands.web(f"web{number}", port=port, env=self.env)
        return self.add(program, url=f"http://127.0.0.1:{port}")

    def worker(self, number: int = 0) -> Process:
        """Return worker `number`, which may have to be started."""
        name = f"worker{number}"
        if name in self._processes:
            return self._processes[name]
        return self.add(commands.worker(name, env=self.env))

    def broker(self) -> Process:
        """Return a Redis for the broker alone, told to all webs and workers made from here on."""
        port = free_port()
        program = commands.redis(self.directory / "broker", port=port, password=PASSWORD)
        broker = self.add(
            replace(program, name="broker"), url=redis_server.build_url(port, PASSWORD)
        )
        self.env["BROKER_URL"] = broker.url
        return broker

    def end(self) -> None:
        """End all that was started, frozen or not."""
        for process in reversed(self._processes.values()):
            process.end()
        if self in self.not_ended:
            self.not_ended.remove(self)

    def last_words(self, lines: int) -> str:
        """Return the end of what each process has written."""
        return "\n".join(
            f"{process.program.name}: {line}"
            for process in self._processes.values()
            for line in process.log.splitlines()[-lines:]
        )

    def add(self, program: Program, *, url: str = "") -> Process:
        """Have another program, which is ended with the rest."""
        process = Process(program, self.directory / f"{program.name}.log", url=url)
        self._processes[program.name] = process
        return process


def port_of(url: str) -> int:
    """Return the port that a URL names."""
    port = urlsplit(url).port
    assert port is not None
    return port
