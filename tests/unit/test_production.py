"""Settings that are safe in production pass Django's deployment checks; others do not start."""

import os

import pytest

from tests.harness.environment import without_parley_variables
from tests.harness.run_module import run_module
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


def check(**env: str) -> tuple[int, str]:
    """Run Django's deployment checks; return the exit code and the output."""
    options = ("--deploy", "--fail-level", "WARNING")
    environ = without_parley_variables(os.environ) | PRODUCTION | env
    return run_module("manage", "check", *options, env=environ)


@pytest.mark.security("S34")
@pytest.mark.parametrize("proxies", ["127.0.0.1", *thorough("")])
def test_production_settings_pass_the_deployment_checks(proxies: str) -> None:
    code, output = check(CHAT_TRUSTED_PROXIES=proxies)
    assert code == 0, output
    assert "no issues" in output


@pytest.mark.security("S34", "S58")
def test_the_deployment_checks_name_each_unsafe_setting() -> None:
    code, output = check(
        HTTPS="False",
        CHAT_TUTORIAL="True",
        CHAT_ANONYMOUS_SESSIONS="True",
        CHAT_URL_TOKENS="True",
        CHAT_WEBHOOK_SECRETS="whsec_" + "A" * 32,
        PUBLISH="0.0.0.0",  # noqa: S104
        REDIS_URL="redis://redis:6379/0",
    )
    assert code == 1
    named = (
        "CHAT_ANONYMOUS_SESSIONS is",
        "CHAT_TUTORIAL is",
        "CHAT_URL_TOKENS is",
        "CHAT_SESSION_WEBHOOKS is",
        "PUBLISH is",
    )
    for text in (*named, "REDIS_URL has no password", "security.W012"):
        assert text in output


@pytest.mark.security("S34")
@pytest.mark.parametrize("key", [f"django-insecure-{KEY}", *thorough("changeme", "abcd" * 20)])
def test_an_insecure_secret_key_does_not_start(key: str) -> None:
    code, output = check(SECRET_KEY=key)
    assert code == os.EX_CONFIG
    assert output.startswith("Parley cannot start: SECRET_KEY: insecure; ")
    assert output.count("\n") == 1
    assert key not in output


@pytest.mark.security("S06")
@pytest.mark.parametrize("hosts", ["chat.example.org,*", *thorough("*")])
def test_a_wildcard_host_does_not_start(hosts: str) -> None:
    code, output = check(ALLOWED_HOSTS=hosts)
    assert code == os.EX_CONFIG
    assert "ALLOWED_HOSTS" in output
