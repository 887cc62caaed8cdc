"""Settings that are safe in production pass Django's deployment checks; others do not start."""

import os
import subprocess
import sys

import pytest

from project.runner.process import ROOT
from tests.harness.environment import without_parley_variables
from tests.harness.tiers import thorough

KEY = "pcWnYtGeq1DQYxvJp4dPz1cX0r7wOaSMTf2LKuh5iE3b9RkVyBmAZgNjHsUo"
PRODUCTION = {
    "HTTPS": "True",
    "ALLOWED_HOSTS": "chat.example.org",
    "SECRET_KEY": KEY,
    "CHAT_ANONYMOUS_SESSIONS": "False",
    "CHAT_TUTORIAL": "False",
    "CHAT_URL_TOKENS": "False",
    "CHAT_DAILY_TOKEN_BUDGET": "5000000",
}


def check(**env: str) -> subprocess.CompletedProcess[str]:
    """Run Django's deployment checks."""
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=without_parley_variables(os.environ) | PRODUCTION | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.security("S34")
@pytest.mark.parametrize("proxies", ["127.0.0.1", *thorough("")])
def test_production_settings_pass_the_deployment_checks(proxies: str) -> None:
    result = check(CHAT_TRUSTED_PROXIES=proxies)
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


@pytest.mark.security("S34", "S58")
def test_the_deployment_checks_name_each_unsafe_setting() -> None:
    result = check(
        HTTPS="False",
        CHAT_TUTORIAL="True",
        CHAT_ANONYMOUS_SESSIONS="True",
        CHAT_URL_TOKENS="True",
        CHAT_WEBHOOK_SECRETS="whsec_" + "A" * 32,
        PUBLISH="0.0.0.0",  # noqa: S104
        REDIS_URL="redis://redis:6379/0",
    )
    assert result.returncode == 1
    named = (
        "CHAT_ANONYMOUS_SESSIONS is",
        "CHAT_TUTORIAL is",
        "CHAT_URL_TOKENS is",
        "CHAT_SESSION_WEBHOOKS is",
        "PUBLISH is",
    )
    for text in (*named, "REDIS_URL has no password", "security.W012"):
        assert text in result.stderr


@pytest.mark.security("S34")
@pytest.mark.parametrize("key", [f"django-insecure-{KEY}", *thorough("changeme", "abcd" * 20)])
def test_an_insecure_secret_key_does_not_start(key: str) -> None:
    result = check(SECRET_KEY=key)
    assert result.returncode == os.EX_CONFIG
    assert result.stderr.startswith("Parley cannot start: SECRET_KEY: insecure; ")
    assert result.stderr.count("\n") == 1
    assert key not in result.stderr


@pytest.mark.security("S06")
@pytest.mark.parametrize("hosts", ["chat.example.org,*", *thorough("*")])
def test_a_wildcard_host_does_not_start(hosts: str) -> None:
    result = check(ALLOWED_HOSTS=hosts)
    assert result.returncode == os.EX_CONFIG
    assert "ALLOWED_HOSTS" in result.stderr
