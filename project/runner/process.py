"""A program to start, and the running process that came of it."""

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

ROOT = Path(__file__).resolve().parent.parent.parent
"""Where manage.py stands; all programs are started there."""
TETHER = Path(__file__).with_name("pdeathsig.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How one process is started, known to be ready, and stopped."""

    name: str
    """The word before each of its log lines."""
    argv: tuple[str, ...]
    """Command and arguments."""
    env: Mapping[str, str] = field(repr=False)
    """Its whole environment; it holds secrets, so it is not shown."""
    ready: Callable[[], bool] = field(default=lambda: True)
    """Whether it serves by now; answers within a second."""
    ready_text: str = ""
    """What it writes when it serves, if asking is not enough."""
    stop_within: float
    """Seconds between SIGTERM and SIGKILL."""


class Child:
    """A started program, in a session of its own and tied to the life of this process."""

    def __init__(self, program: Program, *, output: int | IO[bytes]) -> None:
        """Start `program`, its standard output and errors going to `output`.

        Raises:
            RuntimeError: called off the main thread; the kernel ties a child to the thread that
                started it, so it would be killed when that thread ends.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("processes are started from the main thread")
        self.program = program
        self._process = subprocess.Popen(
            _tethered(program.argv),
            cwd=ROOT,
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal reaches the supervisor alone, which then stops in order.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def output(self) -> IO[bytes] | None:
        """The reading end of its output, when it was started with a pipe."""
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """None while it runs; afterwards its code, or minus the number of the signal."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; a process that has ended is left alone."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it and what it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, within: float | None = None) -> int:
        """End it in its own way, or by force after `within` seconds; return its exit code."""
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self.program.stop_within if within is None else within)
        self.kill()
        return self._process.returncode


def _tethered(argv: tuple[str, ...]) -> tuple[str, ...]:
    if sys.platform != "linux":
        return argv
    return (sys.executable, "-IS", str(TETHER), str(os.getpid()), *argv)
