"""Reads `CHAT_*` settings from the environment and checks them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from chat.domain.errors import ConfigError
from chat.env_parsers import (
    parse_networks,
    parse_origins,
    parse_trusted_proxies,
    parse_value,
    parse_webhook_secrets,
)
from chat.settings import LOGO_TYPES, MISSING_ORIGIN, PREFIX, ChatSettings

# Files that other modules read.
FILES = {"CHAT_MODELS_FILE", "CHAT_AUTH_FILE", "CHAT_BUDGETS_FILE"}
QUEUE_TYPES = {"", "classic", "quorum"}
ADDRESS_FORMS = {"plain", "hashed", "off"}
TITLES = {"off", "first", "model"}
COLOR = re.compile(r"#[0-9a-fA-F]{6}")
# Settings that list networks -> their parsers.
NETWORK_LISTS: Mapping[str, Callable[[str, str], object]] = {
    "TRUSTED_PROXIES": parse_trusted_proxies,
    "WEBHOOK_ALLOWED_NETWORKS": parse_networks,
}

# Names of earlier versions. Parley rejects them at startup, naming the replacement.
RENAMED = {
    "SESSION_TTL_MAX": "MAX_SESSION_TTL",
    "SESSION_MAX_AGE": "MAX_SESSION_AGE",
    "KEY_MARGIN": "KEY_TTL_MARGIN",
    "CONTENT_BYTES": "MAX_CONTENT_BYTES",
    "CONTENT_CHARS": "MAX_CONTENT_CHARS",
    "BODY_BYTES": "MAX_BODY_BYTES",
    "BODY_TIMEOUT": "REQUEST_TIMEOUT",
    "COMMENT_CHARS": "MAX_COMMENT_CHARS",
    "REPLY_BYTES": "MAX_REPLY_BYTES",
    "SESSION_BYTES": "MAX_SESSION_BYTES",
    "METADATA_BYTES": "MAX_METADATA_BYTES",
    "INBOX_SIZE": "MAX_QUEUED_TURNS_PER_SESSION",
    "QUEUE_SIZE": "MAX_QUEUED_TURNS",
    "LEASE": "LEASE_TTL",
    "HEARTBEAT": "LEASE_RENEWAL_INTERVAL",
    "HEARTBEAT_INTERVAL": "LEASE_RENEWAL_INTERVAL",
    "FLUSH": "FLUSH_INTERVAL",
    "GRACE": "WAKE_GRACE",
    "SWEEP": "SWEEP_INTERVAL",
    "SWEEP_BATCH": "SWEEP_BATCH_SIZE",
    "DRAIN": "DRAIN_TIMEOUT",
    "CIRCUIT_FAILURES": "CIRCUIT_FAILURE_THRESHOLD",
    "CIRCUIT_PAUSE": "CIRCUIT_RESET_TIMEOUT",
    "RETRY_BASE": "RETRY_BACKOFF",
    "RETRY_MAX": "MAX_RETRY_BACKOFF",
    "EVENTS_KEPT": "EVENT_LOG_SIZE",
    "PAGE_LIMIT_MAX": "MAX_PAGE_LIMIT",
    "WAIT_MAX": "MAX_WAIT",
    "FOLLOWERS": "MAX_SUBSCRIBERS",
    "SOCKET_BYTES": "MAX_BUFFERED_BYTES",
    "SOCKET_PATIENCE": "WRITE_TIMEOUT",
    "SSE_HEARTBEAT": "SSE_HEARTBEAT_INTERVAL",
    "OUTSIDE_NETWORKS": "WEBHOOK_ALLOWED_NETWORKS",
    "WEBHOOK_ATTEMPTS": "WEBHOOK_MAX_ATTEMPTS",
    "WEBHOOK_BASE": "WEBHOOK_BACKOFF",
    "WEBHOOK_MAX": "WEBHOOK_MAX_BACKOFF",
    "PULSE_FILE": "HEARTBEAT_FILE",
}


def from_env(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the `CHAT_*` settings in `environ`, converted to their types.

    Raises:
        ConfigError: a value has the wrong type, form or range, or names are unknown or renamed.
            One error lists all such names.
    """
    found = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    hints = get_type_hints(ChatSettings, include_extras=True)
    types = {PREFIX + name: hint for name, hint in hints.items()}
    _check_names(found.keys() - types.keys() - FILES)
    for name, parse in NETWORK_LISTS.items():
        parse(PREFIX + name, found.get(PREFIX + name, ""))
    origins = found.get(f"{PREFIX}SOCKET_ORIGINS", "")
    parse_origins(f"{PREFIX}SOCKET_ORIGINS", origins, MISSING_ORIGIN)
    parse_origins(f"{PREFIX}FRAME_ANCESTORS", found.get(f"{PREFIX}FRAME_ANCESTORS", ""))
    _check_webhooks(found)
    _check_page(found)
    values = {
        name: parse_value(name, text, types[name])
        for name, text in found.items()
        if name not in FILES and text
    }
    _check_lease(values)
    _check_replicas(values)
    _check_queue_type(values)
    _check_address_form(values)
    return values


def _check_names(unknown: set[str]) -> None:
    if unknown:
        raise ConfigError("; ".join(_name_problem(name) for name in sorted(unknown)))


def _name_problem(name: str) -> str:
    if renamed := RENAMED.get(name.removeprefix(PREFIX)):
        return f"{name} was renamed: set {PREFIX}{renamed} instead"
    return f"{name}: unknown setting"


def _check_lease(values: Mapping[str, Any]) -> None:
    lease = values.get(f"{PREFIX}LEASE_TTL", ChatSettings.LEASE_TTL)
    renewal = values.get(f"{PREFIX}LEASE_RENEWAL_INTERVAL", ChatSettings.LEASE_RENEWAL_INTERVAL)
    if lease < 3 * renewal:
        raise ConfigError(
            f"{PREFIX}LEASE_TTL: {lease:g} s must be at least three times"
            f" {PREFIX}LEASE_RENEWAL_INTERVAL ({renewal:g} s)"
        )


def _check_replicas(values: Mapping[str, Any]) -> None:
    wait = values.get(f"{PREFIX}REPLICA_TIMEOUT", ChatSettings.REPLICA_TIMEOUT)
    call = values.get(f"{PREFIX}STORE_TIMEOUT", ChatSettings.STORE_TIMEOUT)
    if values.get(f"{PREFIX}REPLICAS", ChatSettings.REPLICAS) and wait >= call / 2:
        raise ConfigError(
            f"{PREFIX}REPLICA_TIMEOUT: {wait:g} s must be less than half of"
            f" {PREFIX}STORE_TIMEOUT ({call:g} s)"
        )


def _check_queue_type(values: Mapping[str, Any]) -> None:
    queue_type = values.get(f"{PREFIX}BROKER_QUEUE_TYPE", "")
    if queue_type not in QUEUE_TYPES:
        raise ConfigError(
            f"{PREFIX}BROKER_QUEUE_TYPE: {queue_type!r} is neither classic nor quorum"
        )


def _check_address_form(values: Mapping[str, Any]) -> None:
    form = values.get(f"{PREFIX}STORE_ADDRESSES", "plain")
    if form not in ADDRESS_FORMS:
        raise ConfigError(f"{PREFIX}STORE_ADDRESSES: {form!r} is not plain, hashed or off")


def _check_page(found: Mapping[str, str]) -> None:
    color = found.get(f"{PREFIX}PAGE_COLOR", "")
    if color and not COLOR.fullmatch(color):
        raise ConfigError(f"{PREFIX}PAGE_COLOR: {color!r} is not a colour such as #2a57c5")
    titles = found.get(f"{PREFIX}TITLES", "")
    if titles and titles not in TITLES:
        raise ConfigError(f"{PREFIX}TITLES: {titles!r} is not off, first or model")
    logo = found.get(f"{PREFIX}PAGE_LOGO", "")
    if logo and Path(logo).suffix.lower() not in LOGO_TYPES:
        raise ConfigError(f"{PREFIX}PAGE_LOGO: {logo!r} is not an .svg, .png or .webp file")
    if logo and not Path(logo).is_file():
        raise ConfigError(f"{PREFIX}PAGE_LOGO: there is no file {logo!r}")


def _check_webhooks(found: Mapping[str, str]) -> None:
    secrets = parse_webhook_secrets(found.get(f"{PREFIX}WEBHOOK_SECRETS", ""))
    url = found.get(f"{PREFIX}WEBHOOK_URL", "")
    if url and not secrets:
        raise ConfigError(f"{PREFIX}WEBHOOK_URL requires {PREFIX}WEBHOOK_SECRETS")
    if url and not _is_http_url(url):
        raise ConfigError(f"{PREFIX}WEBHOOK_URL: not an http(s) URL")


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
