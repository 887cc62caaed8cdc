"""What goes wrong between Parley and a model, as `ProviderError`s: translated here and only here.

A vendor's own words never get into these errors: they may repeat the prompt or the token. What
is logged, and kept as the cause, is the status and the vendor's error codes.
"""

import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, ReadTimeoutError

from chat.domain.errors import (
    ContextTooLong,
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelTimeout,
    ModelTLSError,
    ModelUnavailable,
    ProviderError,
    UpstreamClosed,
)
from chat.http.cancellation import CancellableCall
from chat.http.retry_after import retry_after
from chat.providers.json_access import get_path

logger = logging.getLogger(__name__)

ErrorType = type[ProviderError]

# The first row of which anything in the chain of causes is an instance.
_BY_CAUSE: tuple[tuple[tuple[type[BaseException], ...], ErrorType], ...] = (
    ((ssl.SSLCertVerificationError,), ModelTLSError),
    ((ConnectTimeoutError,), ModelUnavailable),
    ((ReadTimeoutError, TimeoutError), ModelTimeout),
    ((RemoteDisconnected, IncompleteRead), ModelUnavailable),
    ((HTTPException, InvalidHeader), ModelInvalidResponse),  # an answer, but not HTTP
)

_BY_STATUS: dict[int, ErrorType] = {
    HTTPStatus.REQUEST_TIMEOUT: ModelTimeout,
    HTTPStatus.CONFLICT: ModelUnavailable,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ContextTooLong,
    HTTPStatus.FAILED_DEPENDENCY: ModelUnavailable,  # TGI: the generation failed
    HTTPStatus.TOO_EARLY: ModelUnavailable,
    HTTPStatus.TOO_MANY_REQUESTS: ModelRateLimited,
    HTTPStatus.GATEWAY_TIMEOUT: ModelTimeout,
}

# The other statuses; of 500 and above, unavailable. A redirect is refused: it leads elsewhere.
_BY_STATUS_RANGE: tuple[tuple[range, ErrorType], ...] = (
    (range(200, 300), ModelInvalidResponse),
    (range(300, 500), ModelBadRequest),
)

# Vendors' own codes and types, where they say more than the status does.
_BY_CODE: dict[str, ErrorType] = {
    "context_length_exceeded": ContextTooLong,  # OpenAI, vLLM
    "exceed_context_size_error": ContextTooLong,  # llama.cpp
    "insufficient_quota": ModelBadRequest,  # OpenAI, as 429: waiting does not help
    "rate_limit_exceeded": ModelRateLimited,
    "overloaded": ModelRateLimited,  # TGI
    "validation": ModelBadRequest,  # TGI
    "invalid_request_error": ModelBadRequest,
    "badrequesterror": ModelBadRequest,  # vLLM
}

# OpenAI, vLLM, llama.cpp, TGI twice, Mistral.
_TOO_LONG = re.compile(
    r"context (?:length|size|window)|maximum context"
    r"|`inputs` (?:tokens \+|must have less than)|prompt (?:is too long|contains \d+ tokens)",
    re.IGNORECASE,
)
_LOADING = re.compile(r"\bloading\b", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_STATUS = re.compile(r"[45]\d\d", re.ASCII)

LOADING_RETRY_AFTER = 5.0
"""Seconds until a loading model is asked again that does not say how long it takes.

OpenAI's formats have no field for it. Without a time, loading would use up the turn's attempts."""
MAX_RETRY_AFTER = 86_400.0
"""Seconds; a vendor that asks for more is taken to ask for a day."""


class VendorError(Exception):
    """What a vendor answered instead of a reply: a status and its own codes, nothing quoted."""


@contextmanager
def map_errors(call: CancellableCall) -> Iterator[None]:
    """Turn what requests, urllib3 and sockets raise into `ProviderError`s.

    Raises:
        UpstreamClosed: this side closed the call, whatever error that then caused.
        ProviderError: one of its subclasses; the foreign error is its cause.
    """
    try:
        yield
    except ProviderError as error:
        if call.is_cancelled and not isinstance(error, UpstreamClosed):
            raise UpstreamClosed from error
        raise
    except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
        kind = UpstreamClosed if call.is_cancelled else _error_type(error)
        # What is no HTTP is quoted by the error that says so.
        raise kind from VendorError("not HTTP") if kind is ModelInvalidResponse else error


def _error_type(error: BaseException) -> ErrorType:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for causes, kind in _BY_CAUSE:
        if any(isinstance(link, causes) for link in chain):
            return kind
    return ModelUnavailable


def from_response(
    model: str, status: int, headers: Mapping[str, str], document: object
) -> ProviderError:
    """Return the error that an answer with another status than 200 means."""
    words, text = _codes_and_text(document)
    wait = retry_after(headers)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        estimated = get_path(document, "estimated_time")  # Hugging Face
        if not isinstance(estimated, int | float):
            estimated = 0 if _LOADING.search(text) else None  # llama.cpp
        if estimated is not None:
            pause = max(wait or 0, estimated)
            return _error(
                ModelLoading, model, status, words, wait=pause if pause > 0 else LOADING_RETRY_AFTER
            )
    return _error(_type_for_status(status, words, text), model, status, words, wait=wait)


def from_event(model: str, document: object) -> ProviderError:
    """Return the error that an error object in a stream, or under status 200, means."""
    words, text = _codes_and_text(document)
    statuses = [int(word) for word in words if _STATUS.fullmatch(word)]
    if statuses:
        kind = _type_for_status(statuses[0], words, text)
    elif _TOO_LONG.search(text):
        kind = ContextTooLong
    else:
        kind = next((_BY_CODE[word] for word in words if word in _BY_CODE), ModelUnavailable)
    return _error(kind, model, HTTPStatus.OK, words)


def _type_for_status(status: int, words: list[str], text: str) -> ErrorType:
    if status != HTTPStatus.TOO_MANY_REQUESTS and _TOO_LONG.search(text):
        return ContextTooLong  # llama.cpp says so with 500 as well
    unlisted = next((kind for span, kind in _BY_STATUS_RANGE if status in span), ModelUnavailable)
    kind = _BY_STATUS.get(status, unlisted)
    if kind in {ModelBadRequest, ModelRateLimited}:
        return next((_BY_CODE[word] for word in words if word in _BY_CODE), kind)
    return kind


def _codes_and_text(document: object) -> tuple[list[str], str]:
    """Return the vendor's codes, and its text for matching only."""
    error = get_path(document, "error")
    places = (
        get_path(error, "code"),
        get_path(error, "type"),
        get_path(document, "error_type"),
        get_path(document, "code"),
        get_path(document, "type"),
    )
    words = [str(place).lower() for place in places if place is not None]
    texts = (
        get_path(error, "message"),
        get_path(document, "message"),
        error,
        get_path(document, "detail"),
    )
    text = next((str(text) for text in texts if text), "")
    return [word for word in words if _CODE.fullmatch(word)], text


def _error(
    kind: ErrorType, model: str, status: int, words: list[str], *, wait: float | None = None
) -> ProviderError:
    answer = VendorError(f"status {int(status)} {' '.join(words)}".rstrip())
    level = logging.INFO if kind.retryable else logging.WARNING
    logger.log(level, "model %s: %s: %s", model, kind.code, answer)
    error = kind(retry_after=None if wait is None else min(float(wait), MAX_RETRY_AFTER))
    error.__cause__ = answer
    return error
