"""TLS of outgoing calls."""

import ssl
from functools import cache
from pathlib import Path

import certifi

from chat.domain import Model
from chat.domain.errors import ConfigError


@cache
def default_context() -> ssl.SSLContext:
    """Return a context with the public certificate authorities; loading them takes 20 ms."""
    return create_context(certifi.where())


def create_context(authorities: str) -> ssl.SSLContext:
    """Return a context that verifies servers.

    authorities: a file with their certificates, or a directory.

    Raises:
        OSError: they cannot be read.
    """
    context = _new_context()
    path = Path(authorities)
    file, directory = (None, path) if path.is_dir() else (path, None)
    context.load_verify_locations(cafile=file, capath=directory)
    return context


def tls_context(model: Model) -> ssl.SSLContext | None:
    """Return the context of a model's connections; `None` for the default one.

    Raises:
        ConfigError: the certificates that the model's `verify` names cannot be read.
    """
    if model.verify is True:
        return None
    if model.verify is False:
        context = _new_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return create_context(model.verify)
    except OSError as error:  # also ssl.SSLError
        raise ConfigError(f"model {model.name}: verify {model.verify!r}: {error}") from error


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    return context
