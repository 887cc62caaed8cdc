"""A Redis whose primary is found by asking Sentinels, as a URL names it.

`sentinel://[[user]:password@]host:port[,host:port...][/database]?service=name`: user, password and
database are those of the Redis.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from chat.domain.errors import ConfigError

SCHEME = "sentinel"
DEFAULT_PORT = 26379
"""Of a Sentinel that names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelURL:
    """A primary and who knows where it is."""

    sentinels: tuple[tuple[str, int], ...]
    """Host and port of each."""
    service: str
    """What the Sentinels call the primary."""
    username: str | None
    password: str | None
    db: int

    @property
    def login_kwargs(self) -> dict[str, Any]:
        """What a connection to the Redis itself is made with."""
        return {"username": self.username, "password": self.password, "db": self.db}

    @property
    def broker_url(self) -> str:
        """The same as Celery has it; the service's name is an option there, `master_name`."""
        user, secret = quote(self.username or "", safe=""), quote(self.password or "", safe="")
        login = f"{user}:{secret}@" if secret else ""
        return ";".join(f"{SCHEME}://{login}{h}:{p}/{self.db}" for h, p in self.sentinels)


def parse_sentinel_url(url: str) -> SentinelURL | None:
    """Return what a URL names, or `None` when it is another kind of URL.

    Raises:
        ConfigError: it lacks the service's name, or a part of it is no number.
    """
    parts = urlsplit(url)
    if parts.scheme != SCHEME:
        return None
    login, _, places = parts.netloc.rpartition("@")
    user, _, secret = login.partition(":")
    service = parse_qs(parts.query).get("service", [""])[0]
    if not service:
        raise ConfigError("a sentinel:// URL names the primary: ?service=mymaster")
    try:
        return SentinelURL(
            sentinels=tuple(_parse_host(place) for place in places.split(",")),
            service=service,
            username=unquote(user) or None,
            password=unquote(secret) or None,
            db=int(parts.path.strip("/") or 0),
        )
    except ValueError as error:
        # Without what `error` quotes, which may be the password.
        raise ConfigError("a port or database of a sentinel:// URL is no number") from error


def _parse_host(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    return (host, int(port)) if colon else (text, DEFAULT_PORT)
