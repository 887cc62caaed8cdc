"""Knobs from environment variables, at start."""

from collections.abc import Mapping
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from chat.conf.knobs import PREFIX, Knobs, knobs
from chat.conf.values import networks, read_origins, typed, webhook_secrets
from chat.errors import ConfigError

NAMELESS = "none"
"""Stands in `SOCKET_ORIGINS` for programs that name no origin."""


def read_knobs(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the `CHAT_*` settings that `environ` holds, each as its knob's type.

    Raises:
        ConfigError: a value is not of the knob's type or form or not positive, or no knob has
            that name.
    """
    types = get_type_hints(Knobs, include_extras=True)
    known = {PREFIX + name: kind for name, kind in types.items()}
    found = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    if unknown := sorted(found.keys() - known.keys() - {"CHAT_MODELS_FILE"}):
        raise ConfigError(f"{unknown[0]}: there is no such setting")
    networks(environ.get(f"{PREFIX}OUTSIDE_NETWORKS", ""))
    read_origins(f"{PREFIX}SOCKET_ORIGINS", found.get(f"{PREFIX}SOCKET_ORIGINS", ""), NAMELESS)
    _check_webhooks(found)
    read = {
        name: typed(name, text, known[name])
        for name, text in found.items()
        if name != "CHAT_MODELS_FILE" and text
    }
    _check_lease(read)
    _check_replicas(read)
    return read


def _check_lease(read: Mapping[str, Any]) -> None:
    lease = read.get(f"{PREFIX}LEASE", Knobs.LEASE)
    heartbeat = read.get(f"{PREFIX}HEARTBEAT", Knobs.HEARTBEAT)
    if lease <= heartbeat:
        raise ConfigError(
            f"{PREFIX}LEASE: {lease:g} s are over before a sign of life, each {heartbeat:g} s"
            f" ({PREFIX}HEARTBEAT)"
        )


def _check_replicas(read: Mapping[str, Any]) -> None:
    wait = read.get(f"{PREFIX}REPLICA_TIMEOUT", Knobs.REPLICA_TIMEOUT)
    call = read.get(f"{PREFIX}STORE_TIMEOUT", Knobs.STORE_TIMEOUT)
    if read.get(f"{PREFIX}REPLICAS", Knobs.REPLICAS) and wait >= call / 2:
        raise ConfigError(
            f"{PREFIX}REPLICA_TIMEOUT: {wait:g} s are not less than half of the {call:g} s of a"
            f" call ({PREFIX}STORE_TIMEOUT)"
        )


def _check_webhooks(found: Mapping[str, Any]) -> None:
    secrets = webhook_secrets(found.get(f"{PREFIX}WEBHOOK_SECRETS", ""))
    url = urlsplit(found.get(f"{PREFIX}WEBHOOK_URL", ""))
    if url.geturl() and not secrets:
        raise ConfigError(f"{PREFIX}WEBHOOK_URL: needs CHAT_WEBHOOK_SECRETS, too")
    if url.geturl() and (url.scheme not in {"http", "https"} or not url.hostname):
        raise ConfigError(f"{PREFIX}WEBHOOK_URL: {url.geturl()!r} is not an http(s) URL")


def has_webhook() -> bool:
    """Return whether the deployment has a webhook of its own."""
    return bool(knobs.WEBHOOK_URL and knobs.WEBHOOK_SECRETS)
