"""Settings fit for production are clean; those that are not do not start."""

import os
import subprocess
import sys

import pytest

from project.runner.process import ROOT
from tests.harness.environment import clean

KEY = "pcWnYtGeq1DQYxvJp4dPz1cX0r7wOaSMTf2LKuh5iE3b9RkVyBmAZgNjHsUo"
PRODUCTION = {"HTTPS": "True", "ALLOWED_HOSTS": "chat.example.org", "SECRET_KEY": KEY}


def check(**env: str) -> subprocess.CompletedProcess[str]:
    """Let Django look at the settings as for a deployment."""
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=clean(os.environ) | PRODUCTION | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.security("S34")
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_settings_of_production_are_clean(proxies: str) -> None:
    found = check(CHAT_TRUSTED_PROXIES=proxies)
    assert found.returncode == 0, found.stderr
    assert "no issues" in found.stdout


@pytest.mark.security("S34")
def test_the_check_tells_what_is_not_fit_for_production() -> None:
    """So that the test above can fail."""
    found = check(HTTPS="False")
    assert found.returncode == 1
    assert "security.W012" in found.stderr


@pytest.mark.security("S34")
def test_a_weak_secret_key_does_not_start() -> None:
    key = "abcdefgh" * 8
    found = check(SECRET_KEY=key)
    assert found.returncode == os.EX_CONFIG
    assert found.stderr.startswith("Parley cannot start: SECRET_KEY: too weak, ")
    assert found.stderr.count("\n") == 1
    assert key not in found.stderr


@pytest.mark.security("S06")
@pytest.mark.parametrize("hosts", ["*", "chat.example.org,*"])
def test_hosts_that_let_all_in_do_not_start(hosts: str) -> None:
    found = check(ALLOWED_HOSTS=hosts)
    assert found.returncode == os.EX_CONFIG
    assert "ALLOWED_HOSTS" in found.stderr
