"""Settings that do not go together are named, with what to do."""

from typing import Any

import pytest
from pytest_django import Settings

from chat.operations import deployment_checks
from chat.operations.checks import Level

FIT = {
    "ALLOWED_HOSTS": ["chat.example.org"],
    "CHAT_TRUSTED_PROXIES": 1,
    "CORS_ORIGINS": ["https://pages.example.org", "http://localhost:3000"],
    "DEBUG": False,
    "HAS_SECRET_KEY": True,
    "HTTPS": True,
    "REDIS_URL": "redis://:secret@redis:6379/0",
}


def found(settings: Settings, **own: Any) -> dict[str, Level]:
    """What is not well, and how it stands."""
    for name, value in {**FIT, **own}.items():
        setattr(settings, name, value)
    findings = list(deployment_checks.check())
    assert all(bool(each.hint) == (each.level != Level.OK) for each in findings)
    assert not any("secret" in each.message for each in findings)
    return {each.message: each.level for each in findings if each.level != Level.OK}


def test_settings_of_production_are_well(settings: Settings) -> None:
    assert found(settings) == {}


def test_settings_of_one_machine_are_well(settings: Settings) -> None:
    here = {"ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"], "CHAT_TRUSTED_PROXIES": 0}
    assert found(settings, **here, HTTPS=False, REDIS_URL="redis://127.0.0.1:6379/0") == {}


@pytest.mark.parametrize(
    ("name", "value", "what", "level"),
    [
        ("DEBUG", True, "DEBUG is on", Level.WARNING),
        ("HAS_SECRET_KEY", False, "SECRET_KEY is not set", Level.ERROR),
        ("ALLOWED_HOSTS", ["localhost"], "ALLOWED_HOSTS is localhost", Level.ERROR),
        ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS is empty", Level.ERROR),
        ("HTTPS", False, "HTTPS is off, but ALLOWED_HOSTS has chat.example.org", Level.WARNING),
        (
            "CHAT_TRUSTED_PROXIES",
            0,
            "HTTPS is on, CHAT_TRUSTED_PROXIES is 0",
            Level.WARNING,
        ),
        (
            "CORS_ORIGINS",
            ["http://x.example"],
            "CORS_ORIGINS allows pages without TLS: http://x.example",
            Level.WARNING,
        ),
        ("REDIS_URL", "redis://redis:6379/0", "REDIS_URL has no password", Level.WARNING),
        ("CHAT_KEY_TTL_MARGIN", 60, "CHAT_KEY_TTL_MARGIN is 60 s", Level.ERROR),
        (
            "CHAT_HEARTBEAT_INTERVAL",
            9.0,
            "CHAT_LEASE_TTL is 10 s, CHAT_HEARTBEAT_INTERVAL 9 s",
            Level.ERROR,
        ),
    ],
)
def test_what_does_not_fit_is_named(
    settings: Settings, name: str, value: object, what: str, level: Level
) -> None:
    assert found(settings, **{name: value}) == {what: level}
