"""Programs are started in order, restarted when they die, and ended for good."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.waiting import wait_until

STEADY = "import os, time; print('pid', os.getpid()); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STEADY
FRAIL = "import sys; sys.exit(3)"


class Run:
    """A supervisor of toy programs and what it has written."""

    def __init__(self, log: Path, *programs: str) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-um", "tests.integration.runner.toy", *programs],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def pids(self, name: str) -> list[int]:
        """The process ids that the program called `name` has had, oldest first."""
        return [int(pid) for pid in re.findall(rf"{name} +\| pid (\d+)", self.log)]

    def newest(self, name: str, *, start: int = 1) -> int:
        """The pid of the program's `start`-th start, once it has told it."""
        wait_until(lambda: len(self.pids(name)) >= start)
        return self.pids(name)[start - 1]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*programs: str) -> Run:
        runs.append(Run(tmp_path / f"log{len(runs)}", *programs))
        return runs[-1]

    yield start
    for started in runs:
        started.process.kill()
        started.process.wait()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_what_was_started_last_ends_first(run: Callable[..., Run]) -> None:
    supervised = run(f"first={STEADY}", f"second={STEADY}")
    pids = [supervised.newest("first"), supervised.newest("second")]
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.process.wait(10) == 0
    assert supervised.log.index("second ended") < supervised.log.index("first ended")
    assert not any(map(is_alive, pids))


def test_a_program_that_does_not_listen_is_ended_by_force(run: Callable[..., Run]) -> None:
    supervised = run(f"stubborn={STUBBORN}")
    pid = supervised.newest("stubborn")
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.process.wait(10) == 0
    assert not is_alive(pid)


def test_a_program_that_dies_is_named_and_restarted(run: Callable[..., Run]) -> None:
    supervised = run(f"steady={STEADY}", f"other={STEADY}")
    first = supervised.newest("steady")
    wait_until(lambda: "all up" in supervised.log)
    os.kill(first, signal.SIGKILL)
    assert supervised.newest("steady", start=2) != first
    assert "steady was ended by signal 9; starting it again" in supervised.log
    assert len(supervised.pids("other")) == 1


def test_the_third_death_within_a_minute_ends_everything(run: Callable[..., Run]) -> None:
    supervised = run(f"steady={STEADY}", f"frail={FRAIL}")
    assert supervised.process.wait(10) == 1
    assert supervised.log.count("frail exited with code 3") == 3
    assert not is_alive(supervised.newest("steady"))


def test_a_program_that_refuses_its_settings_is_not_started_again(run: Callable[..., Run]) -> None:
    told = "import os, sys; print('TIME: no number'); sys.exit(os.EX_CONFIG)"
    supervised = run(f"steady={STEADY}", f"choosy={told}")
    assert supervised.process.wait(10) == os.EX_CONFIG
    assert supervised.log.count("choosy | TIME: no number") == 1
    assert supervised.log.index("TIME") < supervised.log.index("choosy refuses its settings")
    assert not any(map(is_alive, supervised.pids("steady")))  # it may not have come to tell


def test_killing_the_supervisor_leaves_no_process(run: Callable[..., Run]) -> None:
    supervised = run(f"steady={STEADY}", f"stubborn={STUBBORN}")
    pids = [supervised.newest("steady"), supervised.newest("stubborn")]
    supervised.process.kill()
    supervised.process.wait()
    wait_until(lambda: not any(map(is_alive, pids)))


def test_a_terminal_that_is_closed_ends_everything_though_nothing_is_said(tmp_path: Path) -> None:
    terminal, other_side = os.openpty()
    told = tmp_path / "pid"
    silent = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    toy = [sys.executable, "-m", "tests.integration.runner.toy", f"silent={silent}"]
    process = subprocess.Popen(toy, stdin=other_side, stdout=other_side, stderr=other_side)
    try:
        os.close(other_side)
        wait_until(lambda: told.exists() and told.read_text() != "")
        assert process.poll() is None
        os.close(terminal)
        assert process.wait(10) == 0
        assert not is_alive(int(told.read_text()))
    finally:
        process.kill()
        process.wait()


def test_a_crowd_of_lines_holds_nobody_up(run: Callable[..., Run]) -> None:
    supervised = run("chatty=print('x' * 70_000); print('\\n' * 100_000 + 'done'); " + STEADY)
    supervised.newest("chatty")
    assert "done" in supervised.log
