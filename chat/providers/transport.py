"""HTTP to one model: pooled `requests`, size limits, every failure a `ProviderError`.

The request is prepared once and sent through the mounted adapter. That takes a third of the time of
`Session.post`, follows no redirects, and ignores proxies in the environment.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from chat.domain import Model
from chat.domain.errors import ConfigError, ModelBadRequest, ModelInvalidResponse
from chat.http import sse
from chat.http.adapter import SingleURLAdapter
from chat.http.cancellation import CancellableCall, current_call
from chat.logging import request_id
from chat.providers import errors
from chat.providers.json_access import parse
from chat.tracing import tracing

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
# Each delta has some 300 bytes of JSON around it.
MAX_STREAM_BYTES = 128 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
# Seconds to wait for the end of a finished stream, so that its connection can be reused.
DRAIN_TIMEOUT = 0.1

_CHUNK_BYTES = 64 * 1024
_EVENT_STREAM = "text/event-stream"


def join_path(base: str, path: str) -> str:
    """Append `path` to the base URL unless the URL already ends in it, and keep the query."""
    if not path:
        return base
    parts = urlsplit(base)
    stem = parts.path.rstrip("/").removesuffix(path)
    return urlunsplit(parts._replace(path=stem + path))


class ModelResponse:
    """A vendor's response whose body has not been read yet."""

    def __init__(self, raw: HTTPResponse, call: CancellableCall) -> None:
        self._raw = raw
        self._call = call
        # read_chunked takes half the time of read1, but can read chunked bodies only.
        self._body: Iterator[bytes] = (
            raw.read_chunked(_CHUNK_BYTES, decode_content=False)
            if raw.chunked
            else iter(partial(raw.read1, _CHUNK_BYTES), b"")
        )
        self._content_type = raw.headers.get("content-type", "").partition(";")[0].strip().lower()
        # Some servers ignore the request's `stream`.
        self.is_stream = self._content_type == _EVENT_STREAM

    def document(self) -> object:
        """Return the body as JSON.

        Raises:
            ModelInvalidResponse: it is not JSON, or is larger than `MAX_DOCUMENT_BYTES`.
        """
        if not self._content_type.startswith("application/") or not self._content_type.endswith(
            "json"
        ):
            raise ModelInvalidResponse
        return parse(b"".join(self._chunks(MAX_DOCUMENT_BYTES)))

    def events(self) -> Iterator[bytes]:
        """Yield the data of each event as it arrives; skip events without data.

        Raises:
            ModelInvalidResponse: the stream, or a line of it, is too long.
        """
        return filter(None, sse.events(self._chunks(MAX_STREAM_BYTES)))

    def error_document(self) -> object:
        """Return the body of an error response if it is JSON, else `None`."""
        try:
            return parse(b"".join(self._chunks(MAX_ERROR_BYTES)))
        except ModelInvalidResponse:
            return None

    def drain(self) -> None:
        """Read what follows a stream's end marker, so that the connection can be reused."""
        connection: Any = self._raw.connection
        if connection is None or connection.sock is None:
            return
        connection.sock.settimeout(DRAIN_TIMEOUT)
        with suppress(HTTPError, ValueError):  # urllib3 has closed the connection
            next(self._body, None)

    def _chunks(self, max_bytes: int) -> Iterator[bytes]:
        if self._raw.headers.get("content-encoding", "identity").strip().lower() != "identity":
            # The request accepts none; a small body could decompress to gigabytes.
            raise ModelInvalidResponse
        try:
            for chunk in self._body:
                max_bytes -= len(chunk)
                if max_bytes < 0:
                    raise ModelInvalidResponse
                self._call.raise_if_cancelled()
                yield chunk
        except ValueError as error:  # urllib3 accepts a chunk size of -5
            raise ModelInvalidResponse from error


class ModelClient:
    """Posts JSON to one URL of one model. All threads of a process share it and its connections."""

    def __init__(self, model: Model, path: str = "") -> None:
        """Prepare everything that does not change between calls.

        path: is appended to the model's URL.

        Raises:
            ConfigError: the model's `url`, `token` or `verify` is invalid.
        """
        _check_token(model)
        url = _check_url(model, path)
        self._model = model.name
        self._adapter = SingleURLAdapter(model, url)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers = CaseInsensitiveDict(_headers(model))
        self._session.mount(url, self._adapter)
        self._prepared = self._session.prepare_request(requests.Request("POST", url))
        self._headers = dict(self._prepared.headers)
        read_timeout = max(model.timeouts.first_delta, model.timeouts.between_deltas)
        self._timeout = (model.timeouts.connect, read_timeout)

    @contextmanager
    def post(self, body: Mapping[str, object], call: CancellableCall) -> Iterator[ModelResponse]:
        """Send `body` and yield the response; then return the connection to the pool or close it.

        The pool gets it back only if the response was read to its end and the call not cancelled.

        Raises:
            UpstreamClosed: the call was cancelled, before or during the block.
            ProviderError: sending or reading failed.
        """
        with errors.map_errors(call):
            call.raise_if_cancelled()
            try:
                with self._send(body, call) as response:
                    yield self._check_status(response.raw, call)
            finally:
                call.detach()

    def _send(self, body: Mapping[str, object], call: CancellableCall) -> requests.Response:
        request = copy(self._prepared)
        request.body = _encode(body)
        # A plain dict saves a tenth of the call, and the adapter and urllib3 accept it.
        request.headers = {  # type: ignore[assignment]
            **self._headers,
            **_trace_headers(),
            "Content-Length": str(len(request.body)),
        }
        current_call.set(call)
        return self._adapter.send(request, stream=True, timeout=self._timeout)

    def _check_status(self, raw: HTTPResponse, call: CancellableCall) -> ModelResponse:
        response = ModelResponse(raw, call)
        if raw.status != requests.codes.ok:
            document = response.error_document()
            raise errors.from_response(self._model, raw.status, raw.headers, document)
        return response


def _check_url(model: Model, path: str) -> str:
    """Return the URL to call."""
    try:
        parts = urlsplit(model.url)
        url = requests.Request("POST", join_path(model.url, path)).prepare().url or ""
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
        (urlsplit(url).hostname or "").encode("idna")  # as for its DNS lookup
    except ValueError:  # the errors of requests, urllib3 and the codec are subclasses
        is_http = False
    if not is_http:
        raise ConfigError(f"model {model.name}: url is not an http(s) URL")
    if parts.username is not None or parts.fragment:
        raise ConfigError(
            f"model {model.name}: url must not contain a user, a password or a fragment; use token"
        )
    return url


def _check_token(model: Model) -> None:
    if not all("!" <= char <= "~" for char in model.token):
        raise ConfigError(f"model {model.name}: token must be ASCII without spaces")


def _headers(model: Model) -> dict[str, str]:
    headers = {
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "parley",
    }
    if model.token:
        headers["Authorization"] = f"Bearer {model.token}"
    return headers


def _trace_headers() -> dict[str, str]:
    """Return headers that connect the vendor's log and spans with Parley's."""
    current = request_id()
    return {"X-Request-ID": current, **tracing.inject()} if current else {}


def _encode(body: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:  # a lone surrogate, an integer of more than 64 bits
        raise ModelBadRequest from error
