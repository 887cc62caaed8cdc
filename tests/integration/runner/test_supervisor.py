import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.wait import wait_until

RUNNING = "import os, time; print('pid', os.getpid()); time.sleep(60)"
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + RUNNING
# The first program has started when this one fails.
FAILING = "import sys, time; time.sleep(1); sys.exit(3)"


class Run:
    """A supervisor of test programs, and its log."""

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
        """The process ids of the program called `name`, oldest first."""
        return [int(pid) for pid in re.findall(rf"{name} +\| pid (\d+)", self.log)]

    def wait_for_pid(self, name: str, *, start: int = 1) -> int:
        """The pid of the program's `start`-th process, once it has printed it."""
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


def test_programs_stop_in_reverse_order(run: Callable[..., Run]) -> None:
    supervised = run(f"first={RUNNING}", f"second={RUNNING}")
    pids = [supervised.wait_for_pid("first"), supervised.wait_for_pid("second")]
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.process.wait(10) == 0
    assert supervised.log.index("second stopped") < supervised.log.index("first stopped")
    assert not any(map(is_alive, pids))


def test_a_program_that_ignores_sigterm_is_killed(run: Callable[..., Run]) -> None:
    supervised = run(f"stubborn={IGNORES_SIGTERM}")
    pid = supervised.wait_for_pid("stubborn")
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.process.wait(10) == 0
    assert not is_alive(pid)


def test_a_killed_program_is_logged_and_restarted(run: Callable[..., Run]) -> None:
    supervised = run(f"steady={RUNNING}", f"other={RUNNING}")
    first = supervised.wait_for_pid("steady")
    wait_until(lambda: "all ready" in supervised.log)
    os.kill(first, signal.SIGKILL)
    assert supervised.wait_for_pid("steady", start=2) != first
    assert "steady was killed by signal 9; restarting it" in supervised.log
    supervised.wait_for_pid("other")
    assert len(supervised.pids("other")) == 1


def test_the_third_exit_within_a_minute_stops_everything(run: Callable[..., Run]) -> None:
    supervised = run(f"steady={RUNNING}", f"frail={FAILING}")
    assert supervised.process.wait(30) == 1
    assert supervised.log.count("frail exited with code 3") == 3
    assert not is_alive(supervised.wait_for_pid("steady"))


def test_a_program_that_rejects_its_settings_is_not_restarted(run: Callable[..., Run]) -> None:
    code = "import os, sys; print('TIME: no number'); sys.exit(os.EX_CONFIG)"
    supervised = run(f"steady={RUNNING}", f"choosy={code}")
    assert supervised.process.wait(10) == os.EX_CONFIG
    assert supervised.log.count("choosy | TIME: no number") == 1
    assert supervised.log.index("TIME") < supervised.log.index("choosy rejected its settings")
    assert not any(map(is_alive, supervised.pids("steady")))  # it may have no pid yet


def test_killing_the_supervisor_leaves_no_process(run: Callable[..., Run]) -> None:
    supervised = run(f"steady={RUNNING}", f"stubborn={IGNORES_SIGTERM}")
    pids = [supervised.wait_for_pid("steady"), supervised.wait_for_pid("stubborn")]
    supervised.process.kill()
    supervised.process.wait()
    wait_until(lambda: not any(map(is_alive, pids)))


def test_a_closed_terminal_stops_everything(tmp_path: Path) -> None:
    terminal, other_side = os.openpty()
    pid_file = tmp_path / "pid"
    silent = (
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    toy = [sys.executable, "-m", "tests.integration.runner.toy", f"silent={silent}"]
    process = subprocess.Popen(toy, stdin=other_side, stdout=other_side, stderr=other_side)
    try:
        os.close(other_side)
        wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
        assert process.poll() is None
        os.close(terminal)
        assert process.wait(10) == 0
        assert not is_alive(int(pid_file.read_text()))
    finally:
        process.kill()
        process.wait()


def test_many_lines_do_not_block_the_supervisor(run: Callable[..., Run]) -> None:
    supervised = run("chatty=print('x' * 70_000); print('\\n' * 100_000 + 'done'); " + RUNNING)
    supervised.wait_for_pid("chatty")
    assert "done" in supervised.log
