"""One model's HTTP: pooled `requests`, bounded answers, every failure a `ProviderError`.

The request is prepared once and sent through the mounted adapter: a third of the time of
`Session.post`, no redirects, and nothing taken from the environment.
"""

import time
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
from chat.http.adapter import Adapter
from chat.http.cancellation import CancellableCall
from chat.http.connections import calling
from chat.logging import request_id
from chat.providers import errors
from chat.providers.json_access import parse
from chat.tracing import tracing

__all__ = ["CancellableCall", "ModelClient", "ModelResponse"]

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
"""Most bytes of an answer that is one JSON document."""
MAX_STREAM_BYTES = 128 * 1024 * 1024
"""Most bytes of a stream; a delta is wrapped in some 300 of them."""
MAX_ERROR_BYTES = 64 * 1024
"""Most bytes of an error answer that are read."""
DRAIN_TIMEOUT = 0.1
"""Seconds to wait for the end of a finished stream, so that its connection can be used again."""

_CHUNK_BYTES = 64 * 1024
_EVENT_STREAM = "text/event-stream"


def join_path(base: str, path: str) -> str:
    """Return the URL of `path` below a base that may already end in it, and keep its query."""
    if not path:
        return base
    parts = urlsplit(base)
    stem = parts.path.rstrip("/").removesuffix(path)
    return urlunsplit(parts._replace(path=stem + path))


class ModelResponse:
    """A vendor's answer, its body not read yet."""

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
        self.is_stream = self._content_type == _EVENT_STREAM
        """Whether it comes as events. Not every server heeds `stream`."""

    def document(self) -> object:
        """Return the body as JSON.

        Raises:
            ModelInvalidResponse: it is something else, or larger than `MOST_DOCUMENT`.
        """
        if not self._content_type.startswith("application/") or not self._content_type.endswith(
            "json"
        ):
            raise ModelInvalidResponse
        return parse(b"".join(self._chunks(MAX_DOCUMENT_BYTES)))

    def events(self) -> Iterator[bytes]:
        """Yield the data of each event as it arrives; empty ones are left out.

        Raises:
            ModelInvalidResponse: the stream, or a line of it, is too long.
        """
        return filter(None, sse.events(self._chunks(MAX_STREAM_BYTES)))

    def error_document(self) -> object:
        """Return what an error answer says, if it is JSON; else `None`."""
        try:
            return parse(b"".join(self._chunks(MAX_ERROR_BYTES)))
        except ModelInvalidResponse:
            return None

    def drain(self) -> None:
        """Read what follows a stream's end marker, so that the connection can go on serving."""
        connection: Any = self._raw.connection
        if connection is None or connection.sock is None:
            return
        connection.sock.settimeout(DRAIN_TIMEOUT)
        with suppress(HTTPError, ValueError):  # urllib3 has closed the connection
            next(self._body, None)

    def _chunks(self, most: int) -> Iterator[bytes]:
        if self._raw.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise ModelInvalidResponse  # none was offered; a small one may unpack to gigabytes
        try:
            for piece in self._body:
                most -= len(piece)
                if most < 0:
                    raise ModelInvalidResponse
                self._call.raise_if_cancelled()
                yield piece
        except ValueError as error:  # urllib3 hands on that a chunk says it has -5 bytes
            raise ModelInvalidResponse from error


class ModelClient:
    """Posts JSON to one URL of one model; all threads of a process share it and its connections."""

    def __init__(self, model: Model, path: str = "") -> None:
        """Prepare everything that does not change from call to call, for `path` below the URL.

        Raises:
            ConfigError: the model's `url`, `token` or `verify` cannot be used.
        """
        _check_token(model)
        url = _check_url(model, path)
        self._model = model.name
        self._adapter = Adapter(model, url)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers = CaseInsensitiveDict(_headers(model))
        self._session.mount(url, self._adapter)
        self._prepared = self._session.prepare_request(requests.Request("POST", url))
        self._headers = dict(self._prepared.headers)
        wait = max(model.timeouts.first_delta, model.timeouts.between_deltas)
        self._timeout = (model.timeouts.connect, wait)

    @contextmanager
    def post(self, body: Mapping[str, object], call: CancellableCall) -> Iterator[ModelResponse]:
        """Send `body` and hand over the answer; on leaving, the connection is pooled or closed.

        It is pooled only if the answer was read to its end and nothing closed the call.

        Raises:
            UpstreamClosed: `upstream.close()` was called, before or meanwhile.
            ProviderError: one of its subclasses, also for what goes wrong with the answer.
        """
        with errors.map_errors(call):
            call.raise_if_cancelled()
            try:
                response = self._send(body, call)
                with response:
                    yield self._check_status(response.raw, call)
            finally:
                call.detach()

    def _send(self, body: Mapping[str, object], call: CancellableCall) -> requests.Response:
        request = copy(self._prepared)
        request.body = _encode(body)
        # A plain dict saves a tenth of the call; the adapter and urllib3 ask no more of it.
        request.headers = {  # type: ignore[assignment]
            **self._headers,
            **_trace_headers(),
            "Content-Length": str(len(request.body)),
        }
        calling.upstream = call
        call.sent_at = time.monotonic()
        return self._adapter.send(request, stream=True, timeout=self._timeout)

    def _check_status(self, raw: HTTPResponse, call: CancellableCall) -> ModelResponse:
        answer = ModelResponse(raw, call)
        if raw.status != requests.codes.ok:
            raise errors.from_response(
                self._model, raw.status, raw.headers, answer.error_document()
            )
        return answer


def _check_url(model: Model, path: str) -> str:
    try:
        parts = urlsplit(model.url)
        url = requests.Request("POST", join_path(model.url, path)).prepare().url or ""
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        (urlsplit(url).hostname or "").encode("idna")  # as it is looked up
    except ValueError:  # requests', urllib3's and the codec's own are such, too
        usable = False
    if not usable:
        raise ConfigError(f"model {model.name}: url is not an http(s) address")
    if parts.username is not None or parts.fragment:
        raise ConfigError(f"model {model.name}: url takes no user, password or fragment; use token")
    return url


def _check_token(model: Model) -> None:
    if not all("!" <= char <= "~" for char in model.token):
        raise ConfigError(f"model {model.name}: token holds blanks or other than ASCII")


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
    """Return headers by which the vendor's log and Parley's tell of the same request."""
    current = request_id()
    return {"X-Request-ID": current, **tracing.inject()} if current else {}


def _encode(body: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:  # a lone surrogate, a number beyond 64 bits
        raise ModelBadRequest from error
