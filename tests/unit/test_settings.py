"""Settings are read at start, and what is wrong is named, but no password shown."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from celery_app import app
from chat import broker
from chat.broker import publishing
from chat.domain.errors import ConfigError
from chat.store import client
from project.settings import Environment


def environment(**variables: str) -> Environment:
    env = Environment()
    env.ENVIRON = variables
    return env


@pytest.mark.parametrize("text", ["ture", "maybe", "2", "-"])
def test_what_is_neither_true_nor_false_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"HTTPS: '{text}'"):
        environment(HTTPS=text).truth("HTTPS")


@pytest.mark.parametrize(
    ("text", "meant"), [("True", True), ("on", True), ("1", True), ("FALSE", False), ("no", False)]
)
def test_truth_is_read(text: str, meant: bool) -> None:
    assert environment(HTTPS=text).truth("HTTPS") is meant
    assert environment().truth("HTTPS") is False


@pytest.mark.parametrize(
    "url", ["foo", "foo://x", "mysql://u:hidden@h/d", "postgres://u:hidden@h:abc/d"]
)
def test_a_wrong_database_is_named(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refusal:
        environment(DATABASE_URL=url).database("DATABASE_URL", default="sqlite:////x")
    assert "hidden" not in str(refusal.value)


def test_a_database_is_read() -> None:
    found = environment().database("DATABASE_URL", default="sqlite:////tmp/x")
    assert found["NAME"] == "/tmp/x"  # noqa: S108


@pytest.mark.parametrize(
    "url",
    [
        "foo://x",
        "nonsense",
        "redis://:hidden@h:abc/0",
        "valkey://:hidden@h",
        "redis://h/x",
        "sentinel://h",
        "sentinel://:hidden@h:x?service=m",
    ],
)
def test_a_wrong_broker_is_named(settings: Settings, url: str) -> None:
    settings.BROKER_URL = url
    with pytest.raises(ConfigError, match="BROKER_URL") as refusal:
        broker.check()
    assert "hidden" not in str(refusal.value)


@pytest.fixture
def unknown_broker() -> Iterator[None]:
    """What this process knows of its broker is forgotten, before and after."""
    publishing._broker.cache_clear()
    yield
    publishing._broker.cache_clear()


@pytest.mark.usefixtures("unknown_broker")
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/x", "sentinel://127.0.0.1:1"])
def test_what_kombu_finds_wrong_late_costs_no_request(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", url)
    assert broker.wake("ses_1") is False


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:1/0",
        "rediss://h",
        "redis+socket:///x",
        "sentinel://h/0?service=m",
        "amqp://u:p@h:1//v",
        "amqp://h",
    ],
)
def test_a_broker_is_not_asked_at_start(settings: Settings, url: str) -> None:
    settings.BROKER_URL = url
    broker.check()


@pytest.mark.parametrize(
    "url", ["foo://x", "nonsense", "redis://:hidden@h:abc/0", "redis://h/x", "sentinel://h"]
)
def test_a_wrong_redis_is_named(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    with pytest.raises(ConfigError, match="REDIS_URL") as refusal:
        client.check_redis_url()
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    ["redis://h:1/0", "redis://h", "unix://@/tmp/x?db=1", "rediss://h", "sentinel://h?service=m"],
)
def test_redis_is_not_asked_at_start(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    client.check_redis_url()
