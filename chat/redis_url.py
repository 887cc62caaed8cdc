"""URLs of Redis, read in the same way for the data and for the broker.

    redis://[[user]:password@]host[:port][/database][?option=value&...]
    rediss://...                                          the same over TLS
    unix://[[user]:password@]/path[?db=database&...]      a Unix socket
    sentinel://[[user]:password@]host:port[,host:port...][/database]?service=name
    redis+cluster://[[user]:password@]host:port[,host:port...]     nodes of a Redis Cluster
    rediss+cluster://...                                           the same over TLS

The query may also contain user, password and database, as `username`, `password` and `db`. The
options are those of redis-py's connections. A `sentinel://` URL names the primary that the
Sentinels know; its user, password and database belong to Redis, not to the Sentinels.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from chat.connection_url import (
    URLParts,
    boolean,
    convert_options,
    natural,
    one_of,
    parse_host,
    parse_query,
    positive_float,
    scheme_of,
    split_url,
)
from chat.domain.errors import ConfigError

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
# Options that are not arguments of a connection.
OWN_OPTIONS = ("service", "username", "password", "db", "virtual_host")


class Kind(StrEnum):
    """How Redis is reached."""

    TCP = "redis"
    TLS = "rediss"
    UNIX = "unix"
    SENTINEL = "sentinel"
    CLUSTER = "redis+cluster"
    TLS_CLUSTER = "rediss+cluster"


TLS_KINDS = {Kind.TLS, Kind.TLS_CLUSTER}
CLUSTER_KINDS = {Kind.CLUSTER, Kind.TLS_CLUSTER}
# Kinds whose URL may name several hosts.
MULTI_HOST_KINDS = {Kind.SENTINEL, *CLUSTER_KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisURL:
    kind: Kind
    # Host and port: one, or several Sentinels or nodes of a Cluster. Empty for a Unix socket.
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
    def is_cluster(self) -> bool:
        return self.kind in CLUSTER_KINDS

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

    def kwargs_for(self, node: tuple[str, int]) -> dict[str, Any]:
        """Return the same for a node of a Cluster. Of other URLs, the only server is the node."""
        if self.is_cluster:
            return {**self.login_kwargs, "host": node[0], "port": node[1]}
        return self.connection_kwargs


def is_redis_url(url: str) -> bool:
    """Return whether the URL has one of the schemes above."""
    return scheme_of(url) in [*Kind]


def parse_redis_url(url: str) -> RedisURL:
    """Parse a URL of Redis.

    Raises:
        ConfigError: it has another scheme, lacks a part, or an option is unknown or invalid. The
            message quotes no part of the URL, except an option's name.
    """
    if not is_redis_url(url):
        kinds = "redis://, rediss://, unix://, sentinel:// or redis+cluster://"
        raise ConfigError(f"expected a URL that starts with {kinds}")
    parts = split_url(url)
    kind = Kind(parts.scheme)
    hosts, path = _hosts(kind, parts.hosts), _socket_path(kind, parts)
    query = parse_query(parts.query, {*OWN_OPTIONS, *OPTIONS})
    service = query.pop("service", "")
    if (kind is Kind.SENTINEL) != bool(service):
        raise ConfigError(
            "a sentinel:// URL must name the primary: add ?service=mymaster"
            if not service
            else "service applies to sentinel:// URLs only"
        )
    username, password = query.pop("username", ""), query.pop("password", "")
    return RedisURL(
        kind=kind,
        hosts=hosts,
        path=path,
        service=service,
        username=parts.username or username or None,
        password=parts.password or password or None,
        db=_database(kind, parts, query),
        options=_options(kind, query),
    )


def _hosts(kind: Kind, text: str) -> tuple[tuple[str, int], ...]:
    if kind is Kind.UNIX:
        if text:
            raise ConfigError("a unix:// URL needs an absolute path: unix:///run/redis.sock")
        return ()
    default = DEFAULT_SENTINEL_PORT if kind is Kind.SENTINEL else DEFAULT_PORT
    texts = text.split(",") if kind in MULTI_HOST_KINDS else [text]
    return tuple(parse_host(text, default) for text in texts)


def _socket_path(kind: Kind, parts: URLParts) -> str:
    if kind is not Kind.UNIX:
        return ""
    if parts.path in {"", "/"}:
        raise ConfigError("a unix:// URL needs the path of the socket: unix:///run/redis.sock")
    return unquote(parts.path)


def _database(kind: Kind, parts: URLParts, query: dict[str, str]) -> int:
    """Return the database: `db` of the query, else the URL's path, else 0.

    Celery's URLs of Unix sockets call it `virtual_host`.
    """
    in_path = "" if kind is Kind.UNIX else unquote(parts.path).strip("/")
    in_query = [query.pop(name, "") for name in ("db", "virtual_host")]
    text = next(filter(None, [*in_query, in_path]), "0").strip("/")
    if not (text.isascii() and text.isdigit()):
        raise ConfigError("the database is not a number")
    if kind in CLUSTER_KINDS and int(text):
        raise ConfigError("a Redis Cluster has only database 0: remove the number from the URL")
    return int(text)


def _options(kind: Kind, query: Mapping[str, str]) -> dict[str, Any]:
    for name in query:
        if name.startswith("ssl_") and kind not in TLS_KINDS:
            raise ConfigError(f"option {name!r} requires rediss:// or rediss+cluster://")
        if name == "socket_keepalive" and kind is Kind.UNIX:
            raise ConfigError(f"option {name!r} does not apply to unix://")
    options = convert_options(query, OPTIONS)
    return {name: value for name, value in options.items() if value is not None}


def _protocol(text: str) -> int | None:
    """Return 2, or `None` for 3: that is the default, and naming it changes redis-py's replies."""
    return 2 if one_of("2", "3")(text) == "2" else None


def _certificate_requirement(text: str) -> str:
    """Return redis-py's name; Celery's begins with CERT_."""
    return one_of("none", "optional", "required")(text.lower().removeprefix("cert_"))


def _verify_flags(text: str) -> list[ssl.VerifyFlags]:
    return [ssl.VerifyFlags[name.strip()] for name in text.strip("[]").split(",")]


# redis-py's options that do not change the form of replies, and how their values are read.
OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "client_name": str,
    "health_check_interval": natural,
    "lib_name": str,
    "lib_version": str,
    "max_connections": natural,
    "protocol": _protocol,
    "retry_on_timeout": boolean,
    "socket_connect_timeout": positive_float,
    "socket_keepalive": boolean,
    "socket_read_size": natural,
    "socket_timeout": positive_float,
    "ssl_ca_certs": str,
    "ssl_ca_data": str,
    "ssl_ca_path": str,
    "ssl_cert_reqs": _certificate_requirement,
    "ssl_certfile": str,
    "ssl_check_hostname": boolean,
    "ssl_ciphers": str,
    "ssl_exclude_verify_flags": _verify_flags,
    "ssl_include_verify_flags": _verify_flags,
    "ssl_keyfile": str,
    "ssl_min_version": lambda text: ssl.TLSVersion(int(text)),
    "ssl_password": str,
}
