"""A wrong setting ends each process with its name, in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from project.supervisor import programs
from project.supervisor.children import ROOT
from tests.harness.environment import clean
from tests.harness.ports import free_port

STARTED = {
    "web": programs.web(port=1, env={}).argv,
    "worker": programs.worker(env={}).argv,
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


@pytest.mark.parametrize("port", ["abc", "99999", "-1"])
def test_a_wrong_port_is_told_in_one_line(port: str, tmp_path: Path) -> None:
    told = refused(STARTED["run"], tmp_path, code=1, PORT=port)
    assert told == f"CommandError: PORT: {port!r} is not a number from 1 to 65535\n"
