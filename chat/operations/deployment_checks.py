"""Checks for settings that are unsafe for this deployment.

Settings that are invalid or contradict one another stop the start (`chat/settings.py`).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from chat.operations.checks import CheckResult, Level, result
from chat.redis_url import Kind, parse_redis_url
from chat.settings import chat_settings

# Hosts that mean this machine.
LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1", "[::1]", ".localhost"}


def check() -> Iterator[CheckResult]:
    """Check the settings of this process."""
    yield from _exposure()
    yield from _secrets()
    yield from _https()
    yield from _origins()


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
    plain = [origin for origin in settings.CORS_ORIGINS if _is_http(origin)]
    if plain and settings.HTTPS:
        yield CheckResult(
            Level.WARNING,
            f"CORS_ORIGINS allows pages without TLS: {', '.join(plain)}",
            "use https: an attacker on the network can modify such pages",
        )


def _public_hosts() -> list[str]:
    """Return the allowed hosts other than this machine, without `*`."""
    return [host for host in settings.ALLOWED_HOSTS if host not in LOOPBACK_HOSTS | {"*"}]


def _is_http(origin: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS
