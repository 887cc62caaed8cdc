"""Read the issuers of JWTs from the TOML file `CHAT_AUTH_FILE`."""

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chat.domain import Issuer
from chat.domain.errors import ConfigError

AUTH_FILE = "CHAT_AUTH_FILE"
REQUIRED = ("issuer", "audience", "tenant")
FIELDS = {field.name for field in dataclasses.fields(Issuer)}
# As API keys have.
TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def read_issuers(environ: Mapping[str, str]) -> dict[str, Issuer]:
    """Return the issuers by name; none without the setting.

    Raises:
        ConfigError: the file cannot be read, a field is unknown, missing or invalid, or two issuers
            have the same name.
    """
    path = environ.get(AUTH_FILE)
    if not path:
        return {}
    content = _read_toml(Path(path))
    if unknown := content.keys() - {"issuers"}:
        raise ConfigError(f"{AUTH_FILE}: unknown table {min(unknown)!r}; use [[issuers]]")
    entries = content.get("issuers", [])
    if not isinstance(entries, list):
        raise ConfigError(f"{AUTH_FILE}: write [[issuers]], not [issuers]")
    issuers = [_issuer(entry, number) for number, entry in enumerate(entries, 1)]
    by_name = {issuer.issuer: issuer for issuer in issuers}
    if len(by_name) < len(issuers):
        raise ConfigError(f"{AUTH_FILE}: two issuers have the same `issuer`")
    return by_name


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{AUTH_FILE}: {path} cannot be read: {error}") from error


def _issuer(entry: object, number: int) -> Issuer:
    where = f"{AUTH_FILE}: issuer {number}"
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: must be a table")
    for name, value in entry.items():
        if name not in FIELDS:
            raise ConfigError(f"{where}: unknown field {name!r}")
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{where}: {name} must be a string")
    if missing := [name for name in REQUIRED if name not in entry]:
        raise ConfigError(f"{where}: {missing[0]} is missing")
    if ("jwks_url" in entry) == ("key" in entry):
        raise ConfigError(f"{where}: set either jwks_url or key")
    if not TENANT.fullmatch(entry["tenant"]):
        raise ConfigError(f"{where}: tenant must be 1 to 64 letters, digits or characters of ._-")
    _check_url(where, entry.get("jwks_url"))
    return Issuer(**entry)


def _check_url(where: str, url: str | None) -> None:
    if url is None:
        return
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigError(f"{where}: jwks_url is not an http(s) URL")
