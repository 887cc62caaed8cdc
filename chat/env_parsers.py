"""Parsers and checks of environment variables."""

import base64
import re
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, get_args, get_origin

from chat.domain.errors import ConfigError

# Prefix and lengths of secrets, as Standard Webhooks defines them.
SECRET_PREFIX = "whsec_"  # noqa: S105  # not a secret
SECRET_BYTES = range(24, 65)
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

Network = IPv4Network | IPv6Network
# Stands for all clients of a Unix socket, in a list of networks.
UNIX = "unix"
PROXIES_HINT = (
    "List the addresses or networks of your proxies, such as 127.0.0.1 or 10.0.0.0/8; leave it"
    " empty if there is none."
)

# An origin as browsers send it: scheme, lower-case host and port, without a trailing slash.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@*A-Z]+|null")

# An origin whose pages may post forms; `*.` stands for all subdomains.
FORM_ORIGIN = re.compile(r"https?://(\*\.)?[^\s/?#@*A-Z]+")

# A path of segments that are the same with and without percent-encoding; none is `.` or `..`.
URL_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
# First segments of Parley's own HTTP paths.
OWN_SEGMENTS = {
    "admin",
    "docs",
    "live",
    "logo",
    "manifest.webmanifest",
    "messages",
    "metrics",
    "models",
    "ready",
    "refresh_token",
    "schema",
    "sessions",
    "static",
    "token",
    "users",
}


def parse_list(text: str) -> list[str]:
    """Return the items of a comma-separated list, without spaces around them."""
    return [item.strip() for item in text.split(",") if item.strip()]


def parse_origins(name: str, text: str, *words: str) -> list[str]:
    """Return the origins that the variable `name` lists; `words` are also allowed as items.

    Raises:
        ConfigError: an item is not an origin, so no browser would ever send it.
    """
    others = "".join(f", or `{word}`" for word in words)
    origins = parse_list(text)
    for origin in origins:
        if origin not in words and not ORIGIN.fullmatch(origin):
            raise ConfigError(
                f"{name}: {origin!r} is not an origin such as https://chat.example.org{others}"
            )
    return origins


def parse_form_origins(name: str, text: str) -> list[str]:
    """Return the origins that the variable `name` lists, in the form of Django's setting.

    Raises:
        ConfigError: an item is not an origin with http or https.
    """
    origins = parse_list(text)
    for origin in origins:
        if not FORM_ORIGIN.fullmatch(origin):
            raise ConfigError(
                f"{name}: {origin!r} is not an origin such as https://chat.example.org:8443"
            )
    return origins


def parse_url_prefix(name: str, text: str) -> str:
    """Return the path without a slash at its end; "" is the root.

    Raises:
        ConfigError: it is not a path, or it conflicts with one of Parley's own paths.
    """
    prefix = text.strip().rstrip("/")
    if prefix and not URL_PREFIX.fullmatch(prefix):
        raise ConfigError(f"{name}: {text!r} is not a path such as /chat")
    if prefix.partition("/")[2].partition("/")[0] in OWN_SEGMENTS:
        raise ConfigError(f"{name}: {text!r} is one of Parley's own paths; use another, as /chat")
    return prefix


def parse_boolean(name: str, text: str) -> bool:
    """Return the boolean that a setting contains.

    Raises:
        ConfigError: the value is not a boolean.
    """
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise ConfigError(f"{name}: {text!r} is neither true nor false") from None


def parse_value(name: str, text: str, hint: Any) -> object:
    """Return the value of the variable `name` as the type `hint`.

    Raises:
        ConfigError: the value has another type, or is out of range.
    """
    value_type = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if value_type is bool:
        return parse_boolean(name, text)
    try:
        value = value_type(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {text!r} is not of type {value_type.__name__}") from error
    if not is_in_range(value, hint):
        raise ConfigError(f"{name}: {text!r} is out of range")
    return value


def is_in_range(value: object, hint: Any) -> bool:
    """Return whether a number is finite and positive, or 0 if `hint` allows it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return 0 < value < float("inf") or (value == 0 and get_origin(hint) is Annotated)


@cache
def parse_networks(name: str, text: str) -> tuple[Network, ...]:
    """Return the networks of the comma-separated list in the variable `name`.

    Raises:
        ConfigError: an item is not a network.
    """
    try:
        return tuple(map(ip_network, parse_list(text)))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """The proxies whose headers are believed."""

    networks: tuple[Network, ...]
    # Whether a proxy may connect over a Unix socket.
    unix: bool

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)


@cache
def parse_trusted_proxies(name: str, text: str) -> TrustedProxies:
    """Return the proxies that the variable `name` lists by network, or as `unix`.

    Raises:
        ConfigError: an item is a number of proxies, as in earlier versions, or not a network, or
            contains all addresses.
    """
    items = parse_list(text)
    if any(item.isdecimal() for item in items):
        raise ConfigError(f"{name}: {text!r} is a number. {PROXIES_HINT}")
    networks = parse_networks(name, ",".join(item for item in items if item != UNIX))
    if any(network.prefixlen == 0 for network in networks):
        raise ConfigError(f"{name}: {text!r} trusts every client. {PROXIES_HINT}")
    return TrustedProxies(networks=networks, unix=UNIX in items)


@cache
def parse_webhook_secrets(text: str) -> tuple[bytes, ...]:
    """Return the secrets of a comma-separated list in the format of Standard Webhooks.

    Raises:
        ConfigError: an item is not `whsec_` followed by 24 to 64 bytes in Base64.
    """
    return tuple(map(_parse_secret, parse_list(text)))


def _parse_secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:
        raise ConfigError("CHAT_WEBHOOK_SECRETS: not Base64") from error
    if not text.startswith(SECRET_PREFIX) or len(secret) not in SECRET_BYTES:
        raise ConfigError(
            "CHAT_WEBHOOK_SECRETS: expected whsec_ followed by 24 to 64 bytes in Base64"
        )
    return secret
