"""Runs a set of programs: starts them in order, restarts those that exit, and stops them all."""

import os
import selectors
import signal
import subprocess
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from project.runner.log_output import LineReader, LogOutput
from project.runner.process import ChildProcess, Program

# Seconds until all programs of a stage must be ready, even with a slow disk and cold caches.
START_TIMEOUT = 60.0
# Seconds within which a signal, an exit, or the readiness of a program is noticed.
POLL_INTERVAL = 0.05
# Exits of one program within `EXIT_WINDOW` seconds after which everything stops.
MAX_EXITS = 3
EXIT_WINDOW = 60.0
# Signals that request a graceful stop; a second one kills the programs.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handlers = dict[signal.Signals, Any]


class StopRequested(Exception):
    """A signal requested the stop."""


class ProgramFailed(Exception):
    """A program did not start, or exited too often."""

    # The exit code of the supervisor itself.
    exit_code = 1


class SettingsRejected(ProgramFailed):
    """A program reported a wrong setting; a restart would not help."""

    exit_code = os.EX_CONFIG


class Supervisor:
    """Runs programs from a single thread: the kernel kills a child when its thread ends."""

    def __init__(self, log: LogOutput) -> None:
        self._log = log
        self._children: dict[str, ChildProcess] = {}
        self._readers: dict[str, LineReader] = {}
        self._exits: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MAX_EXITS))
        self._selector = selectors.DefaultSelector()
        # Stop signals received.
        self._stop_requests = 0

    def run(self, stages: Sequence[Sequence[Program]], on_ready: Callable[[], None]) -> int:
        """Run the programs until a signal requests the stop.

        Each stage starts when the one before is ready; `on_ready` is called after the last one.
        Returns the exit code: 0 after a signal, 78 if a program rejected its settings, 1 if one
        failed otherwise.
        """
        handlers = self._install_signal_handlers()
        try:
            return self._run(stages, on_ready)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run(self, stages: Sequence[Sequence[Program]], on_ready: Callable[[], None]) -> int:
        try:
            for stage in stages:
                self._start_stage(stage)
            on_ready()
            self._run_forever()
        except StopRequested:
            return 0
        except ProgramFailed as failure:
            self._log.write_line("parley", str(failure))
            return failure.exit_code
        finally:
            self._stop_all()

    def _start_stage(self, programs: Sequence[Program]) -> None:
        for program in programs:
            self._start(program)
        waiting = list(programs)

        def all_ready() -> bool:
            waiting[:] = [program for program in waiting if not self._is_ready(program)]
            return not waiting

        if not self._run_until(all_ready, START_TIMEOUT):
            names = ", ".join(program.name for program in waiting)
            raise ProgramFailed(f"{names}: not ready after {START_TIMEOUT:.0f} seconds; stopping")

    def _is_ready(self, program: Program) -> bool:
        return self._readers[program.name].has_ready_text and program.is_ready()

    def _run_forever(self) -> NoReturn:
        while True:
            self._run_until(lambda: False, EXIT_WINDOW)

    def _start(self, program: Program) -> None:
        child = ChildProcess(program, output=subprocess.PIPE)
        self._children[program.name] = child
        if child.output:
            reader = LineReader(program, child.output, self._log)
            self._readers[program.name] = reader
            self._selector.register(child.output, selectors.EVENT_READ, reader)

    def _run_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Forward output and restart programs; return False if `condition` timed out.

        Raises:
            StopRequested: a signal arrived, or the log's reader has gone.
            ProgramFailed: a program exited too often, or rejected its settings.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if self._stop_requests or not self._log.is_open:
                raise StopRequested
            if time.monotonic() > deadline:
                return False
            self._forward_output(POLL_INTERVAL)
            self._restart_exited()
        return True

    def _forward_output(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            reader: LineReader = key.data
            if not reader.read():
                self._selector.unregister(key.fileobj)
                reader.close()

    def _restart_exited(self) -> None:
        exited = [child for child in self._children.values() if child.exit_code is not None]
        for child in exited:
            child.kill()
            self._forward_output(0)
            self._record_exit(child)
            self._start(child.program)

    def _record_exit(self, child: ChildProcess) -> None:
        name = child.program.name
        if child.exit_code == os.EX_CONFIG:
            raise SettingsRejected(f"{name} rejected its settings; stopping")
        if failure := self._readers[name].failure:
            raise ProgramFailed(failure)
        exits = self._exits[name]
        exits.append(time.monotonic())
        cause = _describe_exit(child)
        if len(exits) == MAX_EXITS and exits[-1] - exits[0] < EXIT_WINDOW:
            raise ProgramFailed(f"{name} {cause}, for the third time within a minute; stopping")
        self._log.write_line("parley", f"{name} {cause}; restarting it")

    def _stop_all(self) -> None:
        for name, child in reversed(self._children.items()):
            child.signal(signal.SIGTERM)
            self._wait_for_exit(child)
            child.kill()
            self._log.write_line("parley", f"{name} stopped")
        self._forward_output(0)
        self._selector.close()

    def _wait_for_exit(self, child: ChildProcess) -> None:
        deadline = time.monotonic() + child.program.stop_timeout
        while child.exit_code is None and time.monotonic() < deadline and not self._must_kill:
            self._forward_output(POLL_INTERVAL)

    @property
    def _must_kill(self) -> bool:
        return self._stop_requests > 1

    def _install_signal_handlers(self) -> Handlers:
        """Count the stop signals; return the previous handlers."""

        def count(_number: int, _frame: FrameType | None) -> None:
            self._stop_requests += 1

        previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in previous.items():
            # nohup ignores SIGHUP: closing the terminal must not stop the programs.
            if (number, handler) != (signal.SIGHUP, signal.SIG_IGN):
                signal.signal(number, count)
        return previous


def _describe_exit(child: ChildProcess) -> str:
    code = child.exit_code or 0
    return f"exited with code {code}" if code >= 0 else f"was killed by signal {-code}"
