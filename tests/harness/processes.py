"""A process that a test starts, kills, freezes and thaws."""

import signal
from pathlib import Path
from typing import Self

from project.runner.process import ChildProcess, Program
from tests.harness.fork_server import ForkedProcess, can_fork
from tests.harness.wait import wait_until

# Seconds; other tests may keep both cores busy.
START_TIMEOUT = 60.0


class Process:
    """One program that can be started repeatedly; its output goes to a file."""

    def __init__(self, program: Program, log: Path, *, url: str = "") -> None:
        self.program = program
        # The URL has no trailing slash. It is empty for a worker.
        self.url = url
        self._log_path = log
        self._log_start = 0
        self._child: ChildProcess | ForkedProcess | None = None

    def start(self) -> Self:
        """Start the process and wait until it is ready.

        Raises:
            AssertionError: it is already running, exits, or is too slow; with its output.
        """
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        """Start the process without waiting."""
        assert not self.is_running, f"{self.program.name} is already running"
        self._log_start = len(self.log)
        with self._log_path.open("ab") as log:
            kind = ForkedProcess if can_fork(self.program) else ChildProcess
            self._child = kind(self.program, output=log)

    def wait_until_ready(self) -> None:
        wait_until(lambda: not self.is_running or self._is_ready(), within=START_TIMEOUT)
        assert self.is_running, f"{self.program.name} exited:\n{self.log}"

    @property
    def is_running(self) -> bool:
        """Also true for a frozen process."""
        return self._child is not None and self._child.exit_code is None

    @property
    def pid(self) -> int:
        """Of the last start."""
        return self._started().pid

    @property
    def exit_code(self) -> int | None:
        return self._started().exit_code

    @property
    def log(self) -> str:
        """The output of all starts."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def log_of_this_start(self) -> str:
        return self.log[self._log_start :]

    def signal(self, number: signal.Signals) -> None:
        self._started().signal(number)

    def freeze(self) -> None:
        """Suspend the process until `thaw`."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._started().kill()

    def stop(self, *, within: float = 30.0) -> int:
        """Send SIGTERM, and SIGKILL after `within` seconds; return the exit code."""
        return self._started().stop(within)

    def ensure_stopped(self) -> None:
        """Kill the process if it is running."""
        if self._child:
            self._child.kill()

    def _is_ready(self) -> bool:
        return self.program.ready_text in self.log_of_this_start and self.program.is_ready()

    def _started(self) -> ChildProcess | ForkedProcess:
        assert self._child, f"{self.program.name} was not started"
        return self._child
