"""Checks of settings that are unsafe or contradictory."""

from typing import Any

import pytest
from pytest_django import Settings

from chat.domain.budgets import BudgetRules, Limit, Period, Scope
from chat.operations import deployment_checks
from chat.operations.checks import Level

PRODUCTION = {
    "ALLOWED_HOSTS": ["chat.example.org"],
    "CHAT_SESSION_WEBHOOKS": False,
    "CHAT_ANONYMOUS_SESSIONS": False,
    "CHAT_TUTORIAL": False,
    "CHAT_URL_TOKENS": False,
    "CHAT_WEBHOOK_SECRETS": "whsec_",
    "CHAT_BUDGETS": BudgetRules(each={Scope.DEPLOYMENT: {Period.DAY: Limit(tokens=1000)}}),
    "CHAT_TRUSTED_PROXIES": "127.0.0.1",
    "CORS_ORIGINS": ["https://pages.example.org", "http://localhost:3000"],
    "DEBUG": False,
    "HAS_SECRET_KEY": True,
    "HTTPS": True,
    "PUBLISH": "127.0.0.1",
    "REDIS_URL": "redis://:secret@redis:6379/0",
}


def problems(settings: Settings, **changes: Any) -> dict[str, Level]:
    """Return message and level of each check that fails."""
    for name, value in {**PRODUCTION, **changes}.items():
        setattr(settings, name, value)
    results = list(deployment_checks.check())
    assert all(bool(each.hint) == (each.level != Level.OK) for each in results)
    assert not any("secret" in each.message for each in results)
    return {each.message: each.level for each in results if each.level != Level.OK}


def test_production_settings_have_no_problems(settings: Settings) -> None:
    assert problems(settings) == {}


@pytest.mark.security("S51")
def test_public_deployment_without_budget_is_reported(settings: Settings) -> None:
    of_users = BudgetRules(each={Scope.USER: {Period.DAY: Limit(tokens=1000)}})
    for rules in (BudgetRules(), of_users):
        found = problems(settings, CHAT_BUDGETS=rules)
        assert found == {"the deployment has no budget": Level.WARNING}


def test_settings_of_one_machine_have_no_problems(settings: Settings) -> None:
    local: dict[str, Any] = {
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
        "CHAT_TRUSTED_PROXIES": "",
    }
    local |= {
        "CHAT_ANONYMOUS_SESSIONS": True,
        "CHAT_TUTORIAL": True,
        "CHAT_URL_TOKENS": True,
        "CHAT_SESSION_WEBHOOKS": True,
    }
    assert problems(settings, **local, HTTPS=False, REDIS_URL="redis://127.0.0.1:6379/0") == {}


@pytest.mark.security("S58")
@pytest.mark.parametrize(
    ("name", "value", "message", "level"),
    [
        ("DEBUG", True, "DEBUG is on", Level.WARNING),
        ("HAS_SECRET_KEY", False, "SECRET_KEY is not set", Level.ERROR),
        ("ALLOWED_HOSTS", ["localhost"], "ALLOWED_HOSTS is localhost", Level.ERROR),
        ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS is empty", Level.ERROR),
        ("HTTPS", False, "HTTPS is off, but ALLOWED_HOSTS has chat.example.org", Level.WARNING),
        (
            "CHAT_TRUSTED_PROXIES",
            "",
            "HTTPS is on, CHAT_TRUSTED_PROXIES is empty",
            Level.WARNING,
        ),
        (
            "CORS_ORIGINS",
            ["http://x.example"],
            "CORS_ORIGINS allows pages without TLS: http://x.example",
            Level.WARNING,
        ),
        (
            "CHAT_FRAME_ANCESTORS",
            "https://y.example,http://x.example",
            "CHAT_FRAME_ANCESTORS allows pages without TLS: http://x.example",
            Level.WARNING,
        ),
        ("REDIS_URL", "redis://redis:6379/0", "REDIS_URL has no password", Level.WARNING),
        ("CHAT_TUTORIAL", True, "CHAT_TUTORIAL is on", Level.WARNING),
        (
            "CHAT_ANONYMOUS_SESSIONS",
            True,
            "CHAT_ANONYMOUS_SESSIONS is on",
            Level.WARNING,
        ),
        ("CHAT_URL_TOKENS", True, "CHAT_URL_TOKENS is on", Level.WARNING),
        ("CHAT_SESSION_WEBHOOKS", True, "CHAT_SESSION_WEBHOOKS is on", Level.WARNING),
        ("PUBLISH", "0.0.0.0", "PUBLISH is 0.0.0.0", Level.WARNING),  # noqa: S104
    ],
)
def test_problem_is_reported(
    settings: Settings, name: str, value: object, message: str, level: Level
) -> None:
    assert problems(settings, **{name: value}) == {message: level}
