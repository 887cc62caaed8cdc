"""HTTP to one model: pooled connections, every failure a `ProviderError`."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import orjson

from chat.domain import Model
from chat.domain.errors import ConfigError, ModelBadRequest, ModelInvalidResponse
from chat.http.client import HTTPClient, Response
from chat.http.tls import tls_context
from chat.logging import request_id
from chat.providers import errors
from chat.providers.deviations import Deviation, report
from chat.providers.response import ModelResponse
from chat.tracing import tracing

# The vendors' SDKs accept the same statuses. Some gateways answer every POST with 201.
_SUCCESS = range(200, 300)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
# Headers that a model's `headers` must not contain, because Parley sets them for each call.
_RESERVED_HEADERS = {
    "accept-encoding",
    "connection",
    "content-length",
    "transfer-encoding",
    "traceparent",
    "x-request-id",
}


def join_path(base: str, path: str) -> str:
    """Append `path` to the base URL unless the URL already ends in it, and keep the query."""
    if not path:
        return base
    parts = urlsplit(base)
    stem = parts.path.rstrip("/").removesuffix(path)
    return urlunsplit(parts._replace(path=stem + path))


class ModelClient:
    """Posts JSON to one URL of one model. All turns of a process share it and its connections."""

    def __init__(self, model: Model, path: str = "") -> None:
        """Prepare everything that does not change between calls.

        path: is appended to the model's URL.

        Raises:
            ConfigError: the model's `url`, `token`, `headers` or `verify` is invalid.
        """
        _check_token(model)
        _check_headers(model)
        self._model = model
        self._http = _http_client(model, path)
        self._headers = _headers(model)
        # The worker checks the timeouts of its turns. This one is for other callers.
        self._read_timeout = max(model.timeouts.first_event, model.timeouts.between_events)

    @asynccontextmanager
    async def post(self, body: Mapping[str, object]) -> AsyncGenerator[ModelResponse]:
        """Send `body` and yield the response; then keep the connection or close it.

        It is kept if the response was read to its end.

        Raises:
            ProviderError: sending or reading failed.
        """
        data = _encode(body)
        headers = {**self._headers, **_trace_headers()}
        try:
            with errors.map_http_errors():
                async with self._http.request(
                    "POST", headers, data, read_timeout=self._read_timeout
                ) as response:
                    yield await self._check_status(response)
        except ModelInvalidResponse as error:
            self._log_rejected(error)
            raise

    async def _check_status(self, raw: Response) -> ModelResponse:
        response = ModelResponse(raw, self._model)
        if raw.status not in _SUCCESS:
            document = await response.error_document()
            raise errors.from_response(self._model.name, raw.status, raw.headers, document)
        return response

    def _log_rejected(self, error: ModelInvalidResponse) -> None:
        """Log why a response is rejected: causes contain no text of the response."""
        got = str(error.__cause__ or error.message)
        report(
            self._model.name,
            Deviation(field="response", expected="a reply", got=got, action="rejected it"),
        )


def _http_client(model: Model, path: str) -> HTTPClient:
    tls = tls_context(model)
    try:
        parts = urlsplit(model.url)
        client = HTTPClient(
            join_path(model.url, path),
            tls=tls,
            connect_timeout=model.timeouts.connect,
            max_idle=model.pool_size,
        )
    except ValueError as error:
        raise ConfigError(f"model {model.name}: url is not an http(s) URL") from error
    if parts.username is not None or parts.fragment:
        raise ConfigError(
            f"model {model.name}: url must not contain a user, a password or a fragment; use token"
        )
    return client


def _check_token(model: Model) -> None:
    if not all("!" <= char <= "~" for char in model.token):
        raise ConfigError(f"model {model.name}: token must be ASCII without spaces")


def _check_headers(model: Model) -> None:
    for name, value in model.headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED_HEADERS:
            raise ConfigError(f"model {model.name}: headers must not contain {name!r}")
        if not _HEADER_VALUE.fullmatch(value):
            raise ConfigError(
                f"model {model.name}: headers: {name} must be ASCII without spaces at the ends"
            )


def _headers(model: Model) -> dict[str, str]:
    """Return the headers of each request; the model's replace those of Parley."""
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "parley",
    }
    if model.token:
        headers["Authorization"] = f"Bearer {model.token}"
    own = {name.lower() for name in model.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in own}
    return {**kept, **model.headers}


def _trace_headers() -> dict[str, str]:
    """Return headers that connect the vendor's log and spans with Parley's."""
    current = request_id()
    return {"X-Request-ID": current, **tracing.inject()} if current else {}


def _encode(body: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:  # a lone surrogate, an integer of more than 64 bits
        raise ModelBadRequest from error
