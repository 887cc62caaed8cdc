"""A program to start, and the process that runs it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# The directory of the modules, in which all programs start.
ROOT = Path(__file__).resolve().parent.parent.parent
PDEATHSIG_SCRIPT = Path(__file__).with_name("pdeathsig.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start one process, how to tell that it is ready, and how to stop it."""

    # Prefix of its log lines.
    name: str
    # Command and arguments.
    argv: tuple[str, ...]
    # The complete environment. It holds secrets, so `repr` leaves it out.
    env: Mapping[str, str] = field(repr=False)
    # Must return within a second.
    is_ready: Callable[[], bool] = field(default=lambda: True)
    # What a program prints when it is ready, if `is_ready` cannot check that.
    ready_text: str = ""
    # Takes a line of its output; whether the line is left out of the log.
    is_hidden: Callable[[str], bool] = field(default=lambda _: False)
    # Takes a line of its output; returns why the program cannot run, or "". Such a line is left out
    # of the log, and a restart would not help.
    explain_failure: Callable[[str], str] = field(default=lambda _: "")
    # Seconds between SIGTERM and SIGKILL.
    stop_timeout: float


class ChildProcess:
    """A running program in a new session; the kernel kills it when this process ends."""

    def __init__(self, program: Program, *, output: int | IO[bytes]) -> None:
        """Start `program`, with standard output and errors going to `output`.

        Raises:
            RuntimeError: called outside the main thread. The kernel kills a child when the thread
                that started it ends.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Start processes from the main thread.")
        self.program = program
        self._process = subprocess.Popen(
            _with_pdeathsig(program.argv),
            cwd=ROOT,
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal reaches the supervisor only, which stops the programs in order.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> IO[bytes] | None:
        """The reading end of its output, if it was started with a pipe."""
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """None while it runs; then its exit code, or minus the number of the signal."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it and all processes that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, timeout: float | None = None) -> int:
        """Send SIGTERM, and SIGKILL after `timeout` seconds; return the exit code."""
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self.program.stop_timeout if timeout is None else timeout)
        self.kill()
        return self._process.returncode


def _with_pdeathsig(argv: tuple[str, ...]) -> tuple[str, ...]:
    if sys.platform != "linux":
        return argv
    return (sys.executable, "-IS", str(PDEATHSIG_SCRIPT), str(os.getpid()), *argv)
