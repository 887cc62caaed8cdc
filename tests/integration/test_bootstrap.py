"""A process with a wrong setting exits with one line that names the setting."""

import os
import sys
from pathlib import Path

import pytest

from project.runner import commands
from tests.harness.environment import without_parley_variables
from tests.harness.ports import free_port
from tests.harness.run_module import run_module
from tests.harness.tiers import thorough

PROGRAMS = {
    "web": commands.web(port=1, env={}).argv,
    "worker": commands.worker(env={}).argv,
    "run": (sys.executable, "-m", "manage", "run"),
    "doctor": (sys.executable, "-m", "manage", "doctor"),
}


def run(argv: tuple[str, ...], home: Path, *, code: int = os.EX_CONFIG, **env: str) -> str:
    """Run a program that exits with `code`; return its output."""
    own = {"PARLEY_HOME": str(home), "PORT": str(free_port())}
    assert argv[:2] == (sys.executable, "-m")
    environ = without_parley_variables(os.environ) | own | env
    exit_code, output = run_module(*argv[2:], env=environ)
    assert exit_code == code
    return output


@pytest.mark.parametrize("name", ["web", *thorough("worker", "run", "doctor")])
def test_a_wrong_setting_is_reported_in_one_line(name: str, tmp_path: Path) -> None:
    output = run(PROGRAMS[name], tmp_path, BROKER_URL="foo://x")
    assert output.startswith("Parley cannot start: BROKER_URL: ")
    assert output.count("\n") == 1


@pytest.mark.case("C31")
def test_wrong_form_origin_is_reported_in_one_line(tmp_path: Path) -> None:
    output = run(PROGRAMS["doctor"], tmp_path, CSRF_TRUSTED_ORIGINS="chat.example.org:8443")
    assert output == (
        "Parley cannot start: CSRF_TRUSTED_ORIGINS: 'chat.example.org:8443' is not an origin such"
        " as https://chat.example.org:8443\n"
    )


@pytest.mark.parametrize("home", ["/dev/null", *thorough("/proc/nowhere")])
def test_a_wrong_state_dir_is_reported_in_one_line(home: str) -> None:
    code = 1 if home == "/proc/nowhere" else os.EX_CONFIG
    output = run(PROGRAMS["run"], Path(home), code=code, REDIS_URL="")
    assert output.count("\n") == 1
    assert f": PARLEY_HOME: {home}" in output


@pytest.mark.parametrize("port", ["99999", *thorough("abc", "-1")])
def test_a_wrong_port_is_reported_in_one_line(port: str, tmp_path: Path) -> None:
    output = run(PROGRAMS["run"], tmp_path, code=1, PORT=port)
    assert output == f"CommandError: PORT: {port!r} is not a number from 1 to 65535\n"


def test_a_pool_without_threads_is_rejected(tmp_path: Path) -> None:
    """Processes of a prefork pool would neither flush deltas nor renew leases."""
    output = run((*PROGRAMS["worker"], "--pool", "solo"), tmp_path)
    assert output.startswith("Parley cannot start: --pool: ")
    assert output.count("\n") == 1
