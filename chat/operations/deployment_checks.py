"""Whether the settings are fit for what they say of the place: who comes, and by which way.

What is wrong in itself does not start; this is about settings that do not go together.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from chat.operations.checks import Finding, Level, judged
from chat.settings import chat_settings

# Hosts that are this machine.
HERE = {"localhost", "127.0.0.1", "::1", "[::1]", ".localhost"}


def check() -> Iterator[Finding]:
    """Look at the settings of this process."""
    yield from _exposure()
    yield from _secrets()
    yield from _https()
    yield from _origins()
    yield from _times()


def _exposure() -> Iterator[Finding]:
    yield judged(
        not settings.DEBUG,
        Level.WARNING,
        f"DEBUG is {'on' if settings.DEBUG else 'off'}",
        "set DEBUG=0 where strangers can reach it: it shows errors in detail to anybody",
    )
    yield judged(
        bool(_names()) or not settings.HTTPS,
        Level.WRONG,
        f"ALLOWED_HOSTS is {', '.join(settings.ALLOWED_HOSTS) or 'empty'}",
        "name the hosts by which users come; all but this machine's own are answered 400",
    )
    if "*" in settings.ALLOWED_HOSTS:
        yield Finding(Level.WARNING, "every Host is let in", "name the hosts in ALLOWED_HOSTS")


def _secrets() -> Iterator[Finding]:
    yield judged(
        settings.HAS_SECRET_KEY,
        Level.WARNING if settings.DEBUG else Level.WRONG,
        f"SECRET_KEY is {'' if settings.HAS_SECRET_KEY else 'not '}set",
        "set the same one for all processes, or each makes its own: staff are signed out, and a"
        " repeated POST /sessions gives another token; make one by"
        " python -c 'import secrets; print(secrets.token_urlsafe(50))'",
    )
    redis = urlsplit(settings.REDIS_URL)
    if redis.scheme == "redis" and redis.hostname not in HERE:
        yield judged(
            bool(redis.password),
            Level.WARNING,
            f"REDIS_URL has {'a' if redis.password else 'no'} password",
            "give Redis one (requirepass, or an ACL): all conversations are there",
        )


def _https() -> Iterator[Finding]:
    names = ", ".join(_names())
    if names and not settings.HTTPS:
        yield Finding(
            Level.WARNING,
            f"HTTPS is off, though users come by {names}",
            "set HTTPS=1 behind a proxy that ends TLS; tokens and cookies are sent in the clear",
        )
    if settings.HTTPS:
        yield judged(
            bool(chat_settings.TRUSTED_PROXIES),
            Level.WARNING,
            f"HTTPS is on, CHAT_TRUSTED_PROXIES is {chat_settings.TRUSTED_PROXIES}",
            "set the number of proxies before the web, if there are any: without it all they pass"
            " on is redirected to https for ever, and all clients count as one address",
        )


def _origins() -> Iterator[Finding]:
    plain = [origin for origin in settings.CORS_ORIGINS if _is_plain(origin)]
    if plain and settings.HTTPS:
        yield Finding(
            Level.WARNING,
            f"CORS_ORIGINS lets pages without TLS in: {', '.join(plain)}",
            "name them with https: whoever sits on their way can put calls into them",
        )


def _times() -> Iterator[Finding]:
    yield judged(
        chat_settings.TURN_DEADLINE + chat_settings.SESSION_TTL <= chat_settings.KEY_TTL_MARGIN,
        Level.WRONG,
        f"keys outlive their sessions by {chat_settings.KEY_TTL_MARGIN} s",
        "set CHAT_KEY_TTL_MARGIN above CHAT_TURN_DEADLINE + CHAT_SESSION_TTL, or they expire before"
        " their turns are over",
    )
    yield judged(
        chat_settings.HEARTBEAT_INTERVAL * 3 <= chat_settings.LEASE_TTL,
        Level.WRONG,
        f"CHAT_LEASE_TTL is {chat_settings.LEASE_TTL:g} s,"
        f" CHAT_HEARTBEAT_INTERVAL {chat_settings.HEARTBEAT_INTERVAL:g} s",
        "set CHAT_LEASE_TTL to three times CHAT_HEARTBEAT_INTERVAL or more",
    )


def _names() -> list[str]:
    """Return the hosts that are not this machine; `*` names none."""
    return [host for host in settings.ALLOWED_HOSTS if host not in HERE | {"*"}]


def _is_plain(origin: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme == "http" and parts.hostname not in HERE
