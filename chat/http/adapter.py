"""The requests adapter of one model: one connection pool and one TLS context."""

import ssl
from pathlib import Path
from typing import Any

import requests
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3 import HTTPConnectionPool

from chat.domain import Model
from chat.domain.errors import ConfigError
from chat.http.connections import Pool, TLSPool


class SingleURLAdapter(HTTPAdapter):
    """One pool for one URL. TLS is set up once; requests would set it up for each connection.

    It overrides only methods that requests leaves to subclasses. It skips cookies, proxies and the
    search for a pool, which take a fifth of a call.
    """

    def __init__(self, model: Model, url: str) -> None:
        """Create the pool; this connects to nothing.

        Raises:
            ConfigError: the certificates that the model's `verify` names cannot be read.
        """
        # Certificates are read even if the URL needs no TLS, to report a missing file at start.
        has_tls = url.startswith("https:") or isinstance(model.verify, str)
        self._tls = _tls_context(model) if has_tls else None
        super().__init__(pool_connections=1, pool_maxsize=model.pool_size)
        self._pool: HTTPConnectionPool = self.poolmanager.connection_from_url(url)
        self._path = requests.Request("POST", url).prepare().path_url

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TLSPool}

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_args: Any) -> None:
        """Do nothing: the pool's TLS context verifies certificates."""

    def request_url(self, *_args: Any) -> str:
        return self._path

    def build_response(self, _request: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        return response


def _tls_context(model: Model) -> ssl.SSLContext:
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
