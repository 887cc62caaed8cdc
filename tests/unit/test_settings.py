"""Wrong settings are reported by name at start, without their passwords."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from celery_app import app
from chat import broker
from chat.api.urls import urlpatterns as api_urls
from chat.broker import connections
from chat.domain.errors import ConfigError
from chat.env_parsers import OWN_SEGMENTS, parse_url_prefix
from chat.store import client
from chat.tutorial.urls import urlpatterns as tutorial_urls
from project.settings import Environment


def environment(**variables: str) -> Environment:
    env = Environment()
    env.ENVIRON = variables
    return env


@pytest.mark.parametrize("text", ["ture", "maybe", "2", "-"])
def test_a_value_that_is_not_a_boolean_is_rejected(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"HTTPS: '{text}'"):
        environment(HTTPS=text).boolean("HTTPS")


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("on", True), ("1", True), ("FALSE", False), ("no", False)]
)
def test_a_boolean_is_read(text: str, value: bool) -> None:
    assert environment(HTTPS=text).boolean("HTTPS") is value
    assert environment().boolean("HTTPS") is False


@pytest.mark.parametrize(
    "url", ["foo", "foo://x", "mysql://u:hidden@h/d", "postgres://u:hidden@h:abc/d"]
)
def test_a_wrong_database_url_is_reported(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as error:
        environment(DATABASE_URL=url).database("DATABASE_URL", default="sqlite:////x")
    assert "hidden" not in str(error.value)


def test_a_database_is_read() -> None:
    database = environment().database("DATABASE_URL", default="sqlite:////tmp/x")
    assert database["NAME"] == "/tmp/x"  # noqa: S108


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
        "unix:/run/hidden",
        "memory://:hidden@h?typo=hidden",
        "amqp://u:hidden@h?typo=1",
        "hidden@h://",
    ],
)
def test_a_wrong_broker_url_is_reported(settings: Settings, url: str) -> None:
    settings.BROKER_URL = url
    with pytest.raises(ConfigError, match="BROKER_URL") as error:
        broker.check_url()
    assert "hidden" not in str(error.value)


@pytest.fixture
def fresh_broker() -> Iterator[None]:
    """Clear the cached broker connection before and after the test."""
    connections.broker_pool.cache_clear()
    yield
    connections.broker_pool.cache_clear()


@pytest.mark.usefixtures("fresh_broker")
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/x", "sentinel://127.0.0.1:1"])
def test_a_broker_url_that_kombu_rejects_fails_no_request(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(app.conf, "broker_write_url", url)
    assert broker.wake_session("ses_1") is False


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
def test_the_check_does_not_connect_to_the_broker(settings: Settings, url: str) -> None:
    settings.BROKER_URL = url
    broker.check_url()


def test_queue_type_requires_rabbitmq(settings: Settings) -> None:
    settings.CHAT_BROKER_QUEUE_TYPE = "quorum"
    settings.BROKER_URL = "amqp://h"
    broker.check_url()
    settings.BROKER_URL = "redis://h"
    with pytest.raises(ConfigError, match="CHAT_BROKER_QUEUE_TYPE requires an amqp:// URL"):
        broker.check_url()


@pytest.mark.parametrize(
    "url", ["foo://x", "nonsense", "redis://:hidden@h:abc/0", "redis://h/x", "sentinel://h"]
)
def test_a_wrong_redis_url_is_reported(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    with pytest.raises(ConfigError, match="REDIS_URL") as error:
        client.check_redis_url()
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    ["redis://h:1/0", "redis://h", "unix://@/tmp/x?db=1", "rediss://h", "sentinel://h?service=m"],
)
def test_the_check_does_not_connect_to_redis(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    client.check_redis_url()


@pytest.mark.case("C22")
@pytest.mark.parametrize(
    ("text", "prefix"), [("", ""), ("/", ""), ("/chat", "/chat"), (" /a/b-1.2/ ", "/a/b-1.2")]
)
def test_url_prefix_is_read(text: str, prefix: str) -> None:
    assert parse_url_prefix("URL_PREFIX", text) == prefix


@pytest.mark.case("C22")
@pytest.mark.parametrize(
    "text",
    ["chat", "https://example.org/chat", "//chat", "/a//b", "/a/../b", "/.", "/ä", "/a b", "/%61"],
)
def test_wrong_url_prefix_is_rejected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"URL_PREFIX: .* is not a path"):
        parse_url_prefix("URL_PREFIX", text)


@pytest.mark.case("C22")
def test_url_prefix_differs_from_all_own_paths() -> None:
    """Parley could not tell whether a proxy has removed such a prefix."""
    first = {str(each.pattern).partition("/")[0] for each in [*api_urls, *tutorial_urls]}
    own = {"admin", "logo", "manifest.webmanifest", "static"}
    assert first | own == OWN_SEGMENTS
    for segment in OWN_SEGMENTS:
        with pytest.raises(ConfigError, match="own paths"):
            parse_url_prefix("URL_PREFIX", f"/{segment}/x")
