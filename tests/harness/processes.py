"""A process that a test starts, kills, freezes and thaws."""

import signal
from pathlib import Path
from typing import Self

from project.runner.process import ChildProcess, Program
from tests.harness.waiting import wait_until

READY_WITHIN = 30.0
"""Seconds; both cores may be busy with something else."""


class Process:
    """One program, started any number of times; its output is kept in a file."""

    def __init__(self, program: Program, log: Path, *, url: str = "") -> None:
        self.program = program
        self.url = url
        """Where it serves, without a slash at the end; empty for a worker."""
        self._log = log
        self._log_start = 0
        self._child: ChildProcess | None = None

    def start(self) -> Self:
        """Start it and return when it serves.

        Raises:
            AssertionError: it runs already, exits early or takes too long; with its output.
        """
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        """Start it without waiting for it."""
        assert not self.is_running, f"{self.program.name} runs already"
        self._log_start = len(self.log)
        with self._log.open("ab") as log:
            self._child = ChildProcess(self.program, output=log)

    def wait_until_ready(self) -> None:
        """Return when it serves."""
        wait_until(lambda: not self.is_running or self._is_ready(), within=READY_WITHIN)
        assert self.is_running, f"{self.program.name} exited:\n{self.log}"

    @property
    def is_running(self) -> bool:
        """Whether there is a process, be it frozen."""
        return self._child is not None and self._child.exit_code is None

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        return self._started().pid

    @property
    def exit_code(self) -> int | None:
        """See `ChildProcess.exit_code`."""
        return self._started().exit_code

    @property
    def log(self) -> str:
        """All that it has written so far, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def log_of_this_start(self) -> str:
        """What it has written since it was last started."""
        return self.log[self._log_start :]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal and go on at once."""
        self._started().signal(number)

    def freeze(self) -> None:
        """Let it stand still until `thaw`: alive, silent."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._started().kill()

    def stop(self, *, within: float = 30.0) -> int:
        """Ask it to end and return its exit code; it is killed after `within` seconds."""
        return self._started().stop(within)

    def end(self) -> None:
        """Make sure that it does not run; the last act of whoever started it."""
        if self._child:
            self._child.kill()

    def _is_ready(self) -> bool:
        return self.program.ready_text in self.log_of_this_start and self.program.is_ready()

    def _started(self) -> ChildProcess:
        assert self._child, f"{self.program.name} was not started"
        return self._child
