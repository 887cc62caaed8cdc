"""No error about a connection URL quotes a password, wherever its special characters put it."""

import traceback
from collections.abc import Callable

import pytest
from pytest_django import Settings

from chat import broker
from chat.domain.errors import ConfigError
from chat.store import client

SECRET = "hidden"
PASSWORDS = [
    f"{before}{mark}{after}"
    for mark in "/?#@:;[]&=%+ \\\u2100"
    for before, after in [
        ("", SECRET),
        (SECRET, ""),
        ("12", SECRET),
        (SECRET, SECRET),
        ("a=", SECRET),
    ]
] + ["12/hidden?x@y", "a@b/hidden", "a@b?hidden", "a&hidden=1", "1;redis://hidden"]
FORMS = [
    "{scheme}://:{password}@127.0.0.1:6379/0",
    "{scheme}://user:{password}@127.0.0.1:6379/0?typo=1",
    "{scheme}://{password}:p@127.0.0.1/0",
    "{scheme}://127.0.0.1:6379/0?password={password}&typo=1",
    "{scheme}://:{password}@h1:6379/0;{scheme}://:{password}@h2:6379/0",
    "{scheme}://:{password}@/run/redis.sock?typo=1",
]
SCHEMES = ["redis", "rediss", "unix", "sentinel", "amqp", "amqps", "unknown"]


def check_redis_url(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    client.check_redis_url()


def check_broker_url(settings: Settings, url: str) -> None:
    settings.BROKER_URL = url
    broker.check_url()


@pytest.mark.parametrize("check", [check_redis_url, check_broker_url])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_error_quotes_a_password(
    settings: Settings, scheme: str, check: Callable[[Settings, str], None]
) -> None:
    for form in FORMS:
        for password in PASSWORDS:
            try:
                check(settings, form.format(scheme=scheme, password=password))
            except ConfigError as error:
                assert SECRET not in "".join(traceback.format_exception_only(error))  # noqa: PT017
                assert SECRET not in "".join(map(str, causes(error)))  # noqa: PT017


@pytest.mark.parametrize("check", [check_redis_url, check_broker_url])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "rest",
    ["h:hidden/0", "h/hidden", "hidden:x", "h?db=hidden", "h?heartbeat=hidden", "h?x=hidden"],
)
def test_no_error_quotes_other_parts(
    settings: Settings, scheme: str, rest: str, check: Callable[[Settings, str], None]
) -> None:
    try:
        check(settings, f"{scheme}://{rest}")
    except ConfigError as error:
        assert SECRET not in "".join(map(str, causes(error)))  # noqa: PT017


def causes(error: BaseException | None) -> list[BaseException]:
    """Return the errors that a log would show."""
    if error is None:
        return []
    context = None if error.__suppress_context__ else error.__context__
    return [error, *causes(error.__cause__ or context)]
