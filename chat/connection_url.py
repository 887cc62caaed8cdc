"""The parts and options of connection URLs. Errors quote no part of a URL except options' names.

A password with an unescaped special character may be anywhere: in the port, the path or the query.
"""

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from chat.domain.errors import ConfigError

FALSE_VALUES = {"0", "f", "false", "n", "no"}
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
# A further URL after a semicolon, as in Celery's lists of servers.
FURTHER_URL = re.compile(r";\s*[A-Za-z][A-Za-z0-9+.-]*://")
ESCAPE = (
    "percent-encode special characters in user, password and path:"
    " / as %2F, ? as %3F, # as %23, @ as %40, [ as %5B, ] as %5D, & as %26"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class URLParts:
    scheme: str
    username: str
    password: str
    # Host and port; several if the scheme allows it. Not decoded.
    hosts: str
    # The path and the query. Not decoded.
    path: str
    query: str


def scheme_of(url: str) -> str:
    """Return the scheme in lower case, or "" if it is not a URL with `://`."""
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator and SCHEME.fullmatch(scheme) else ""


def split_url(url: str) -> URLParts:
    """Split a URL into its parts.

    Raises:
        ConfigError: it is a list of URLs, or contains special characters that need an escape.
    """
    if FURTHER_URL.search(url):
        raise ConfigError("lists of servers, separated by ;, are not supported: name one server")
    try:
        parts = urlsplit(url)
    except ValueError:
        # Without the cause, which may quote the password.
        raise ConfigError(f"not a valid URL; {ESCAPE}") from None
    login, _, hosts = parts.netloc.rpartition("@")
    if ";" in hosts:
        raise ConfigError("lists of servers, separated by ;, are not supported: name one server")
    # Kombu would log a virtual host that is a part of the password.
    if parts.fragment or (hosts and "@" in parts.path):
        raise ConfigError(ESCAPE)
    user, _, secret = login.partition(":")
    return URLParts(
        scheme=parts.scheme,
        username=unquote(user),
        password=unquote(secret),
        hosts=hosts,
        path=parts.path,
        query=parts.query,
    )


def parse_host(text: str, default_port: int) -> tuple[str, int]:
    """Return host and port.

    Raises:
        ConfigError: the port is not a number from 1 to 65535.
    """
    try:
        address = urlsplit(f"//{text}")
        return unquote(address.hostname or "localhost"), address.port or default_port
    except ValueError:
        message = f"the port is not a number from 1 to 65535; or {ESCAPE}"
        raise ConfigError(message) from None


def parse_query(text: str, allowed: Container[str]) -> dict[str, str]:
    """Return the query's options.

    Raises:
        ConfigError: an option is not allowed. It is named, unless it may be a part of a password.
    """
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in allowed:
            after_secret = "@" in text or any("password" in earlier for earlier in query)
            raise ConfigError(
                f"unknown option {name!r}"
                if NAME.fullmatch(name) and not after_secret
                else f"unknown option, or {ESCAPE}"
            )
        query[name] = value
    return query


def convert_options(
    query: Mapping[str, str], converters: Mapping[str, Callable[[str], Any]]
) -> dict[str, Any]:
    """Return the converted options.

    Raises:
        ConfigError: an option has an invalid value.
    """
    options = {}
    for name, text in query.items():
        try:
            options[name] = converters[name](text)
        except (ValueError, KeyError):
            raise ConfigError(f"option {name!r} has an invalid value") from None
    return options


def boolean(text: str) -> bool:
    return text.lower() not in FALSE_VALUES


def positive_float(text: str) -> float:
    if not 0 < (value := float(text)) < float("inf"):
        raise ValueError
    return value


def natural(text: str) -> int:
    if (value := int(text)) < 0:
        raise ValueError
    return value


def one_of(*allowed: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return convert
