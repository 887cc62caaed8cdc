"""What ends a process while it is being loaded: a wrong setting, in one line; Ctrl-C, in none."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from project.runner import commands
from project.runner.process import ROOT
from tests.harness.environment import clean
from tests.harness.ports import free_port
from tests.harness.waiting import wait_until

STARTED = {
    "web": commands.web(port=1, env={}).argv,
    "worker": commands.worker(env={}).argv,
    "run": (sys.executable, "manage.py", "run"),
    "doctor": (sys.executable, "manage.py", "doctor"),
}


def refused(argv: tuple[str, ...], home: Path, *, code: int = os.EX_CONFIG, **wrong: str) -> str:
    """What a program says that does not start, and exits with `code`."""
    own = {"PARLEY_HOME": str(home), "PORT": str(free_port())}
    ended = subprocess.run(
        argv,
        cwd=ROOT,
        env=clean(os.environ) | own | wrong,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code
    return ended.stdout


@pytest.mark.parametrize("name", STARTED)
def test_a_wrong_setting_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    told = refused(STARTED[name], tmp_path, BROKER_URL="foo://x")
    assert told == "Parley cannot start: BROKER_URL: no broker is reached by such a foo:// URL\n"


@pytest.mark.parametrize("name", ["web", "worker", "run"])
def test_ctrl_c_while_it_loads_ends_it_without_a_word(name: str, tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    os.mkfifo(models)  # whoever loads the settings stands still here

    def writer() -> int:
        with suppress(OSError):  # nobody reads yet
            return os.open(models, os.O_WRONLY | os.O_NONBLOCK)
        return 0

    own = {"PARLEY_HOME": str(tmp_path), "CHAT_MODELS_FILE": str(models)}
    with subprocess.Popen(
        STARTED[name],
        cwd=ROOT,
        env=clean(os.environ) | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as started:
        pipe = wait_until(writer, within=60)
        started.send_signal(signal.SIGINT)
        told, _ = started.communicate(timeout=30)
    os.close(pipe)
    assert (started.returncode, told) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null"])
def test_a_home_that_cannot_be_is_told_in_one_line(home: str) -> None:
    code = 1 if home == "/proc/nowhere" else os.EX_CONFIG
    told = refused(STARTED["run"], Path(home), code=code, REDIS_URL="")
    assert told.count("\n") == 1
    assert f": PARLEY_HOME: {home}" in told


@pytest.mark.parametrize("port", ["abc", "99999", "-1"])
def test_a_wrong_port_is_told_in_one_line(port: str, tmp_path: Path) -> None:
    told = refused(STARTED["run"], tmp_path, code=1, PORT=port)
    assert told == f"CommandError: PORT: {port!r} is not a number from 1 to 65535\n"


def test_a_pool_without_threads_is_refused(tmp_path: Path) -> None:
    """Nobody would flush what is said in its processes, nor renew their leases."""
    told = refused((*STARTED["worker"], "--pool", "solo"), tmp_path)
    assert told == "Parley cannot start: --pool: must be threads, which is the default\n"
