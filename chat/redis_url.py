"""URLs of Redis, read in the same way for the data and for the broker.

    redis://[[user]:password@]host[:port][/database][?option=value&...]
    rediss://...                                          the same over TLS
    unix://[[user]:password@]/path[?db=database&...]      a Unix socket
    sentinel://[[user]:password@]host:port[,host:port...][/database]?service=name

The query may also contain user, password and database, as `username`, `password` and `db`. The
options are those of redis-py's connections. A `sentinel://` URL names the primary that the
Sentinels know; its user, password and database belong to Redis, not to the Sentinels.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from chat.domain.errors import ConfigError

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
FALSE_VALUES = {"0", "f", "false", "n", "no"}


class Kind(StrEnum):
    """How Redis is reached."""

    TCP = "redis"
    TLS = "rediss"
    UNIX = "unix"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisURL:
    kind: Kind
    # Host and port: one, or one per Sentinel. Empty for a Unix socket.
    hosts: tuple[tuple[str, int], ...]
    # The path of the Unix socket.
    path: str
    # The Sentinels' name of the primary.
    service: str
    username: str | None
    password: str | None
    db: int
    # Further arguments of redis-py's connections.
    options: Mapping[str, Any]

    @property
    def login_kwargs(self) -> dict[str, Any]:
        """Return credentials, database and options, as arguments of a redis-py connection."""
        login = {"username": self.username, "password": self.password, "db": self.db}
        return {**self.options, **login}

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """Return all arguments of a redis-py connection. Sentinels return the address."""
        if self.kind is Kind.UNIX:
            return {**self.login_kwargs, "path": self.path}
        ((host, port),) = self.hosts
        return {**self.login_kwargs, "host": host, "port": port}


def is_redis_url(url: str) -> bool:
    """Return whether the URL has one of the schemes above."""
    return url.partition("://")[0] in [*Kind]


def parse_redis_url(url: str) -> RedisURL:
    """Parse a URL of Redis.

    Raises:
        ConfigError: it has another scheme, lacks a part, or an option is unknown or invalid. The
            message quotes neither the URL nor the password.
    """
    parts = urlsplit(url)
    kind = _kind(parts.scheme)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    service = query.pop("service", "")
    if (kind is Kind.SENTINEL) != bool(service):
        raise ConfigError(
            "a sentinel:// URL must name the primary: add ?service=mymaster"
            if not service
            else "service applies to sentinel:// URLs only"
        )
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, secret = login.partition(":")
    username, password = query.pop("username", ""), query.pop("password", "")
    return RedisURL(
        kind=kind,
        hosts=_hosts(kind, hosts),
        path=_socket_path(kind, parts),
        service=service,
        username=unquote(user) or username or None,
        password=unquote(secret) or password or None,
        db=_database(kind, parts, query),
        options=_options(kind, query),
    )


def _kind(scheme: str) -> Kind:
    if scheme not in [*Kind]:
        kinds = "redis://, rediss://, unix:// or sentinel://"
        raise ConfigError(f"expected a URL that starts with {kinds}")
    return Kind(scheme)


def _hosts(kind: Kind, text: str) -> tuple[tuple[str, int], ...]:
    if kind is Kind.UNIX:
        if text:
            raise ConfigError("a unix:// URL needs an absolute path: unix:///run/redis.sock")
        return ()
    default = DEFAULT_SENTINEL_PORT if kind is Kind.SENTINEL else DEFAULT_PORT
    texts = text.split(",") if kind is Kind.SENTINEL else [text]
    return tuple(_host(text, default) for text in texts)


def _host(text: str, default_port: int) -> tuple[str, int]:
    try:
        address = urlsplit(f"//{text}")
        return unquote(address.hostname or "localhost"), address.port or default_port
    except ValueError as error:
        raise ConfigError("the port is not a number from 1 to 65535") from error


def _socket_path(kind: Kind, parts: SplitResult) -> str:
    if kind is not Kind.UNIX:
        return ""
    if parts.path in {"", "/"}:
        raise ConfigError("a unix:// URL needs the path of the socket: unix:///run/redis.sock")
    return unquote(parts.path)


def _database(kind: Kind, parts: SplitResult, query: dict[str, str]) -> int:
    """Return the database: `db` of the query, else the URL's path, else 0.

    Celery's URLs of Unix sockets call it `virtual_host`.
    """
    in_path = "" if kind is Kind.UNIX else unquote(parts.path).strip("/")
    in_query = [query.pop(name, "") for name in ("db", "virtual_host")]
    text = next(filter(None, [*in_query, in_path]), "0").strip("/")
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"{text!r} is not the number of a database")
    return int(text)


def _options(kind: Kind, query: Mapping[str, str]) -> dict[str, Any]:
    options = {}
    for name, text in query.items():
        if name not in OPTIONS:
            raise ConfigError(f"unknown option {name!r}")
        if name.startswith("ssl_") and kind is not Kind.TLS:
            raise ConfigError(f"option {name!r} requires rediss://")
        if name == "socket_keepalive" and kind is Kind.UNIX:
            raise ConfigError(f"option {name!r} does not apply to unix://")
        try:
            options[name] = OPTIONS[name](text)
        except (ValueError, KeyError) as error:
            raise ConfigError(f"option {name!r} has an invalid value") from error
    return {name: value for name, value in options.items() if value is not None}


def _boolean(text: str) -> bool:
    return text.lower() not in FALSE_VALUES


def _positive_float(text: str) -> float:
    if not 0 < (value := float(text)) < float("inf"):
        raise ValueError
    return value


def _natural(text: str) -> int:
    if (value := int(text)) < 0:
        raise ValueError
    return value


def _one_of(*allowed: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return convert


def _protocol(text: str) -> int | None:
    """Return 2, or `None` for 3: that is the default, and naming it changes redis-py's replies."""
    return 2 if _one_of("2", "3")(text) == "2" else None


def _verify_flags(text: str) -> list[ssl.VerifyFlags]:
    return [ssl.VerifyFlags[name.strip()] for name in text.strip("[]").split(",")]


# redis-py's options that do not change the form of replies, and how their values are read.
OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "client_name": str,
    "health_check_interval": _natural,
    "lib_name": str,
    "lib_version": str,
    "max_connections": _natural,
    "protocol": _protocol,
    "retry_on_timeout": _boolean,
    "socket_connect_timeout": _positive_float,
    "socket_keepalive": _boolean,
    "socket_read_size": _natural,
    "socket_timeout": _positive_float,
    "ssl_ca_certs": str,
    "ssl_ca_data": str,
    "ssl_ca_path": str,
    "ssl_cert_reqs": _one_of("none", "optional", "required"),
    "ssl_certfile": str,
    "ssl_check_hostname": _boolean,
    "ssl_ciphers": str,
    "ssl_exclude_verify_flags": _verify_flags,
    "ssl_include_verify_flags": _verify_flags,
    "ssl_keyfile": str,
    "ssl_min_version": lambda text: ssl.TLSVersion(int(text)),
    "ssl_password": str,
}
