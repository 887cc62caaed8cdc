"""What settings may be: forms, types and ranges."""

import base64
import re
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, get_args, get_origin

from chat.domain.errors import ConfigError

SECRET_PREFIX = "whsec_"  # noqa: S105  # the start of every one, by the standard
SECRET_BYTES = range(24, 65)
"""Lengths that Standard Webhooks allows."""
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@*A-Z]+|null")
"""An origin as browsers send it: scheme, host in small letters, port; without a path or a slash."""


def parse_list(text: str) -> list[str]:
    """Return what is written with commas, and perhaps blanks, between."""
    return [each.strip() for each in text.split(",") if each.strip()]


def parse_origins(name: str, text: str, *words: str) -> list[str]:
    """Return the origins that the variable `name` lists as `text`; `words` may stand among them.

    Raises:
        ConfigError: one of them is none, and no page would ever be let in by it.
    """
    origins = parse_list(text)
    for origin in origins:
        if origin not in words and not ORIGIN.fullmatch(origin):
            raise ConfigError(f"{name}: {origin!r} is no origin, such as https://chat.example.org")
    return origins


def parse_boolean(name: str, text: str) -> bool:
    """Return what the variable `name` says by `text`.

    Raises:
        ConfigError: it says neither yes nor no.
    """
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise ConfigError(f"{name}: {text!r} is neither true nor false") from None


def parse_value(name: str, text: str, hint: Any) -> object:
    """Return the value of type `hint` that the variable `name` holds as `text`.

    Raises:
        ConfigError: it holds none, or one that is out of range.
    """
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if kind is bool:
        return parse_boolean(name, text)
    try:
        value = kind(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {text!r} is not a value of type {kind.__name__}") from error
    if not is_in_range(value, hint):
        raise ConfigError(f"{name}: {text!r} is out of range")
    return value


def is_in_range(value: object, hint: Any) -> bool:
    """Return whether a number is finite and positive, or 0 where that has a meaning."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return 0 < value < float("inf") or (value == 0 and get_origin(hint) is Annotated)


@cache
def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return networks that are written with commas between.

    Raises:
        ConfigError: one of them is not a network.
    """
    try:
        return tuple(map(ip_network, parse_list(text)))
    except ValueError as error:
        raise ConfigError(f"CHAT_WEBHOOK_ALLOWED_NETWORKS: {error}") from error


@cache
def parse_webhook_secrets(text: str) -> tuple[bytes, ...]:
    """Return secrets that are written as Standard Webhooks does, with commas between.

    Raises:
        ConfigError: one of them is not `whsec_` and base64 of 24 to 64 bytes.
    """
    return tuple(map(_parse_secret, parse_list(text)))


def _parse_secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:
        raise ConfigError("CHAT_WEBHOOK_SECRETS: one is not base64") from error
    if not text.startswith(SECRET_PREFIX) or len(secret) not in SECRET_BYTES:
        raise ConfigError("CHAT_WEBHOOK_SECRETS: expected whsec_ and the base64 of 24 to 64 bytes")
    return secret
