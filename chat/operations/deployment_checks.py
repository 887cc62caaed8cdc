"""Checks for settings that are unsafe for this deployment.

Settings that are invalid or contradict one another stop the start (`chat/settings.py`).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  # Django's names

from chat.accounts import budgets
from chat.domain.budgets import Scope
from chat.domain.errors import ConfigError
from chat.env_parsers import parse_list
from chat.operations import health
from chat.operations.checks import CheckResult, Level, result
from chat.redis_url import Kind, parse_redis_url
from chat.settings import chat_settings

# Hosts that mean this machine.
LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1", "[::1]", ".localhost"}

# The address of all interfaces has only these characters: 0.0.0.0, [::]
UNSPECIFIED = "[0.:]"
ANONYMOUS_HINT = (
    "set CHAT_ANONYMOUS_SESSIONS=False and open sessions with API keys or JWTs, unless anyone may"
    " use your models"
)
TUTORIAL_HINT = (
    "set CHAT_TUTORIAL=False unless you use the tutorial's client: its tokens are in URLs, which"
    " the logs of other systems contain"
)
URL_TOKENS_HINT = (
    "set CHAT_URL_TOKENS=False and let clients use tickets or the first frame: URLs are in the logs"
    " of other systems"
)
WEBHOOKS_HINT = (
    "set CHAT_SESSION_WEBHOOKS=False unless clients need it: everyone who opens a session makes"
    " workers call a URL"
)


def check() -> Iterator[CheckResult]:
    """Check the settings of this process."""
    yield from _exposure()
    yield from _secrets()
    yield from _features()
    yield from _https()
    yield from _origins()


def django_check(**_: object) -> list[CheckMessage]:
    """Return the unsafe settings for `manage.py check --deploy`, which checks HTTPS by itself."""
    results = (*_exposure(), *_secrets(), *_features(), *_origins())
    classes = {Level.WARNING: Warning, Level.ERROR: Error}
    return [
        classes[each.level](each.message, hint=each.hint, id="parley.unsafe")
        for each in results
        if each.level is not Level.OK
    ]


def django_check_servers(**_: object) -> list[CheckMessage]:
    """Return why Parley would not start with these servers; nothing about one that is down."""
    try:
        health.check_servers()
    except ConfigError as error:
        return [Error(error.message, id="parley.server")]
    return []


def is_public() -> bool:
    """Return whether clients of other machines use this deployment."""
    return bool(settings.HTTPS or _public_hosts())


def _exposure() -> Iterator[CheckResult]:
    yield result(
        not settings.DEBUG,
        Level.WARNING,
        f"DEBUG is {'on' if settings.DEBUG else 'off'}",
        "set DEBUG=0 on public servers: it shows error details to everyone",
    )
    yield result(
        bool(_public_hosts()) or not settings.HTTPS,
        Level.ERROR,
        f"ALLOWED_HOSTS is {', '.join(settings.ALLOWED_HOSTS) or 'empty'}",
        "list the public host names; requests for other hosts get 400",
    )
    if "*" in settings.ALLOWED_HOSTS:
        yield CheckResult(Level.WARNING, "ALLOWED_HOSTS allows every host", "list the hosts")


def _secrets() -> Iterator[CheckResult]:
    yield result(
        settings.HAS_SECRET_KEY,
        Level.WARNING if settings.DEBUG else Level.ERROR,
        f"SECRET_KEY is {'' if settings.HAS_SECRET_KEY else 'not '}set",
        "set the same key for all processes. Otherwise each creates its own: staff get signed out,"
        " and a repeated POST /sessions returns another token. Create one with"
        " python3 -c 'import secrets; print(secrets.token_urlsafe(50))'",
    )
    redis = parse_redis_url(settings.REDIS_URL)
    if redis.kind is Kind.TCP and redis.hosts[0][0] not in LOOPBACK_HOSTS:
        yield result(
            bool(redis.password),
            Level.WARNING,
            f"REDIS_URL has {'a' if redis.password else 'no'} password",
            "set one in Redis (requirepass or an ACL): it stores all conversations",
        )


def _features() -> Iterator[CheckResult]:
    """Check what strangers can abuse. On one machine there are none."""
    yield result(
        bool(settings.PUBLISH.strip(UNSPECIFIED)),
        Level.WARNING,
        f"PUBLISH is {settings.PUBLISH}",
        "set it to 127.0.0.1 behind a proxy on this host. Otherwise every network of this machine"
        " reaches Parley without TLS",
    )
    if not is_public():
        return
    has_budget = Scope.DEPLOYMENT in budgets.rules().each
    yield result(
        has_budget,
        Level.WARNING,
        f"the deployment has {'a' if has_budget else 'no'} budget",
        "set CHAT_DAILY_TOKEN_BUDGET or CHAT_DAILY_BUDGET (docs/budgets.md). Otherwise nothing"
        " limits what strangers can spend together",
    )
    has_webhooks = bool(chat_settings.WEBHOOK_SECRETS and chat_settings.SESSION_WEBHOOKS)
    for name, is_on, hint in (
        ("CHAT_ANONYMOUS_SESSIONS", chat_settings.ANONYMOUS_SESSIONS, ANONYMOUS_HINT),
        ("CHAT_TUTORIAL", chat_settings.TUTORIAL, TUTORIAL_HINT),
        ("CHAT_URL_TOKENS", chat_settings.URL_TOKENS, URL_TOKENS_HINT),
        ("CHAT_SESSION_WEBHOOKS", has_webhooks, WEBHOOKS_HINT),
    ):
        yield result(not is_on, Level.WARNING, f"{name} is {'on' if is_on else 'off'}", hint)


def _https() -> Iterator[CheckResult]:
    names = ", ".join(_public_hosts())
    if names and not settings.HTTPS:
        yield CheckResult(
            Level.WARNING,
            f"HTTPS is off, but ALLOWED_HOSTS has {names}",
            "set HTTPS=1 behind a TLS proxy; otherwise tokens and cookies are sent unencrypted",
        )
    if settings.HTTPS:
        yield result(
            bool(chat_settings.TRUSTED_PROXIES),
            Level.WARNING,
            f"HTTPS is on, CHAT_TRUSTED_PROXIES is {chat_settings.TRUSTED_PROXIES or 'empty'}",
            "list the addresses of the proxies in front of the web process. Otherwise proxied"
            " requests are redirected to https in a loop, and all clients count as one address",
        )


def _origins() -> Iterator[CheckResult]:
    for name, origins in (
        ("CORS_ORIGINS", settings.CORS_ORIGINS),
        ("CHAT_FRAME_ANCESTORS", parse_list(chat_settings.FRAME_ANCESTORS)),
    ):
        plain = [origin for origin in origins if _is_http(origin)]
        if plain and settings.HTTPS:
            yield CheckResult(
                Level.WARNING,
                f"{name} allows pages without TLS: {', '.join(plain)}",
                "use https: an attacker on the network can modify such pages",
            )


def _public_hosts() -> list[str]:
    """Return the allowed hosts other than this machine, without `*`."""
    return [host for host in settings.ALLOWED_HOSTS if host not in LOOPBACK_HOSTS | {"*"}]


def _is_http(origin: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS
