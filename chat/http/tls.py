"""TLS for calls to models."""

import ssl
from pathlib import Path

from requests.adapters import DEFAULT_CA_BUNDLE_PATH

from chat.domain import Model
from chat.domain.errors import ConfigError


def tls_context(model: Model) -> ssl.SSLContext:
    """Return the context of a model's connections; it is set up once for all of them.

    Raises:
        ConfigError: the certificates that the model's `verify` names cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if model.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    path = Path(DEFAULT_CA_BUNDLE_PATH if model.verify is True else model.verify)
    file, directory = (None, path) if path.is_dir() else (path, None)
    try:
        context.load_verify_locations(cafile=file, capath=directory)
    except OSError as error:  # also ssl.SSLError
        raise ConfigError(f"model {model.name}: verify {model.verify!r}: {error}") from error
    return context
