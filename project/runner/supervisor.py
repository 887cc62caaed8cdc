"""Keeps a set of programs running: starts them in order, restarts what dies, ends all of them."""

import os
import selectors
import signal
import subprocess
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from project.runner.log_output import Journal, Lines
from project.runner.process import Child, Program

READY_WITHIN = 60.0
"""Seconds that programs may take to start; a slow disk and cold caches included."""
TICK = 0.05
"""Seconds within which a signal, a death, or a program's being ready is noticed."""
DEATHS = 3
"""Deaths of one program within `DEATHS_WITHIN` that end everything: restarting does not help."""
DEATHS_WITHIN = 60.0
"""Seconds."""
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask for an orderly end; a second one kills at once."""

Handlers = dict[signal.Signals, Any]


class StopRequested(Exception):
    """A signal asked for the end."""


class Failed(Exception):
    """A program does not start or does not stay."""

    code = 1
    """What the supervisor exits with."""


class WrongSetting(Failed):
    """A program has said which setting is wrong, and would say so again."""

    code = os.EX_CONFIG


class Supervisor:
    """Runs programs from one thread, which the kernel ties them to."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._children: dict[str, Child] = {}
        self._lines: dict[str, Lines] = {}
        self._deaths: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=DEATHS))
        self._selector = selectors.DefaultSelector()
        self._endings = 0

    def run(self, stages: Sequence[Sequence[Program]], announce: Callable[[], None]) -> int:
        """Run the programs, each stage when the one before is ready, until asked to end.

        `announce` is called once all are ready. Returns the exit code: 0 after a signal, 78 when
        a program refuses its settings, 1 when one failed otherwise.
        """
        handlers = self._take_signals()
        try:
            return self._run(stages, announce)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run(self, stages: Sequence[Sequence[Program]], announce: Callable[[], None]) -> int:
        try:
            for stage in stages:
                self._start(stage)
            announce()
            self._watch()
        except StopRequested:
            return 0
        except Failed as failure:
            self._journal.line("parley", str(failure))
            return failure.code
        finally:
            self._stop()

    def _start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            self._launch(program)
        waiting = list(programs)

        def all_ready() -> bool:
            waiting[:] = [program for program in waiting if not self._is_ready(program)]
            return not waiting

        if not self._attend(all_ready, READY_WITHIN):
            names = ", ".join(program.name for program in waiting)
            raise Failed(f"{names}: not ready after {READY_WITHIN:.0f} seconds; ending")

    def _is_ready(self, program: Program) -> bool:
        return self._lines[program.name].heard and program.ready()

    def _watch(self) -> NoReturn:
        while True:
            self._attend(lambda: False, DEATHS_WITHIN)

    def _launch(self, program: Program) -> None:
        child = Child(program, output=subprocess.PIPE)
        self._children[program.name] = child
        if child.output:
            lines = Lines(program.name, child.output, self._journal, awaited=program.ready_text)
            self._lines[program.name] = lines
            self._selector.register(child.output, selectors.EVENT_READ, lines)

    def _attend(self, until: Callable[[], bool], within: float) -> bool:
        """Pass on logs and restart the dead; return whether `until` came true in time.

        Raises:
            StopRequested: a signal asked for the end.
            Failed: a program has died too often, or of a wrong setting.
        """
        deadline = time.monotonic() + within
        while not until():
            if self._endings or not self._journal.heard:
                raise StopRequested
            if time.monotonic() > deadline:
                return False
            self._pass_on(TICK)
            self._revive()
        return True

    def _pass_on(self, within: float) -> None:
        for key, _ in self._selector.select(within):
            lines: Lines = key.data
            if not lines.read():
                self._selector.unregister(key.fileobj)
                lines.close()

    def _revive(self) -> None:
        dead = [child for child in self._children.values() if child.exit_code is not None]
        for child in dead:
            child.kill()
            self._pass_on(0)  # its last words
            self._note_death(child)
            self._launch(child.program)

    def _note_death(self, child: Child) -> None:
        name = child.program.name
        if child.exit_code == os.EX_CONFIG:
            raise WrongSetting(f"{name} refuses its settings; ending")
        deaths = self._deaths[name]
        deaths.append(time.monotonic())
        cause = _cause(child)
        if len(deaths) == DEATHS and deaths[-1] - deaths[0] < DEATHS_WITHIN:
            raise Failed(f"{name} {cause}, the third time within a minute; ending")
        self._journal.line("parley", f"{name} {cause}; starting it again")

    def _stop(self) -> None:
        for name, child in reversed(self._children.items()):
            child.signal(signal.SIGTERM)
            self._wait_for_end(child)
            child.kill()
            self._journal.line("parley", f"{name} ended")
        self._pass_on(0)
        self._selector.close()

    def _wait_for_end(self, child: Child) -> None:
        deadline = time.monotonic() + child.program.stop_within
        while child.exit_code is None and time.monotonic() < deadline and not self._impatient:
            self._pass_on(TICK)

    @property
    def _impatient(self) -> bool:
        return self._endings > 1

    def _take_signals(self) -> Handlers:
        """Have the signals that ask for an end counted; return who had them before."""

        def note(_number: int, _frame: FrameType | None) -> None:
            self._endings += 1

        old = {number: signal.getsignal(number) for number in ENDINGS}
        for number, handler in old.items():
            # Under nohup a closed terminal ends nothing.
            if (number, handler) != (signal.SIGHUP, signal.SIG_IGN):
                signal.signal(number, note)
        return old


def _cause(child: Child) -> str:
    code = child.exit_code or 0
    return f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
