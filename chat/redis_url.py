"""`sentinel://` URLs, which name a Redis primary that Sentinels know.

Syntax: `sentinel://[[user]:password@]host:port[,host:port...][/database]?service=name`. User,
password and database belong to Redis, not to the Sentinels.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from chat.domain.errors import ConfigError

SCHEME = "sentinel"
DEFAULT_PORT = 26379


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelURL:
    """A parsed `sentinel://` URL."""

    # Host and port of each.
    sentinels: tuple[tuple[str, int], ...]
    # The name of the primary.
    service: str
    username: str | None
    password: str | None
    db: int

    @property
    def login_kwargs(self) -> dict[str, Any]:
        """Return the arguments of a connection to the primary."""
        return {"username": self.username, "password": self.password, "db": self.db}

    @property
    def broker_url(self) -> str:
        """Return the URL as Celery expects it; the service is its option `master_name`."""
        user, secret = quote(self.username or "", safe=""), quote(self.password or "", safe="")
        login = f"{user}:{secret}@" if secret else ""
        return ";".join(f"{SCHEME}://{login}{h}:{p}/{self.db}" for h, p in self.sentinels)


def parse_sentinel_url(url: str) -> SentinelURL | None:
    """Parse a `sentinel://` URL; return `None` for other schemes.

    Raises:
        ConfigError: the URL lacks the service, or a port or database is not a number.
    """
    parts = urlsplit(url)
    if parts.scheme != SCHEME:
        return None
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, secret = login.partition(":")
    service = parse_qs(parts.query).get("service", [""])[0]
    if not service:
        raise ConfigError("a sentinel:// URL must name the primary: add ?service=mymaster")
    try:
        return SentinelURL(
            sentinels=tuple(_parse_host(host) for host in hosts.split(",")),
            service=service,
            username=unquote(user) or None,
            password=unquote(secret) or None,
            db=int(parts.path.strip("/") or 0),
        )
    except ValueError as error:
        # `error` may quote the password, so its text is left out.
        raise ConfigError("a port or database of a sentinel:// URL is not a number") from error


def _parse_host(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    return (host, int(port)) if colon else (text, DEFAULT_PORT)
