"""Translate everything that fails between Parley and a model into `ProviderError`s.

These errors never contain a vendor's message, because it may quote the prompt or the token. The log
and the error's cause contain the status and the vendor's error codes only.
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

# The first row that matches any error in the chain of causes applies.
_BY_CAUSE: tuple[tuple[tuple[type[BaseException], ...], ErrorType], ...] = (
    ((ssl.SSLCertVerificationError,), ModelTLSError),
    ((ConnectTimeoutError,), ModelUnavailable),
    ((ReadTimeoutError, TimeoutError), ModelTimeout),
    ((RemoteDisconnected, IncompleteRead), ModelUnavailable),
    ((HTTPException, InvalidHeader), ModelInvalidResponse),  # a response, but not HTTP
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

# The other statuses below 500. A redirect is not followed.
_BY_STATUS_RANGE: tuple[tuple[range, ErrorType], ...] = (
    (range(200, 300), ModelInvalidResponse),
    (range(300, 500), ModelBadRequest),
)

# Vendors' own codes and types that are more specific than the status.
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

# Seconds until the next call to a loading model that sends no estimate. OpenAI's formats have no
# field for one, and without a delay the turn would use up its attempts.
LOADING_RETRY_AFTER = 5.0
# Seconds; longer delays that a vendor requests are shortened to one day.
MAX_RETRY_AFTER = 86_400.0


class VendorError(Exception):
    """A vendor's error response: the status and the vendor's codes, without any text."""


@contextmanager
def map_errors(call: CancellableCall) -> Iterator[None]:
    """Translate the errors of requests, urllib3 and sockets.

    Raises:
        UpstreamClosed: Parley cancelled the call, whatever error that caused.
        ProviderError: any other error, which is the cause.
    """
    try:
        yield
    except ProviderError as error:
        if call.is_cancelled and not isinstance(error, UpstreamClosed):
            raise UpstreamClosed from error
        raise
    except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
        error_type = UpstreamClosed if call.is_cancelled else _error_type(error)
        # The error of a response that is not HTTP quotes the response.
        raise error_type from (
            VendorError("not HTTP") if error_type is ModelInvalidResponse else error
        )


def _error_type(error: BaseException) -> ErrorType:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for causes, error_type in _BY_CAUSE:
        if any(isinstance(link, causes) for link in chain):
            return error_type
    return ModelUnavailable


def from_response(
    model: str, status: int, headers: Mapping[str, str], document: object
) -> ProviderError:
    """Return the error for a response with another status than 200."""
    codes, message = _codes_and_message(document)
    delay = retry_after(headers)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        estimated = get_path(document, "estimated_time")  # Hugging Face
        if not isinstance(estimated, int | float):
            estimated = 0 if _LOADING.search(message) else None  # llama.cpp
        if estimated is not None:
            delay = max(delay or 0, estimated)
            if delay <= 0:
                delay = LOADING_RETRY_AFTER
            return _error(ModelLoading, model, status, codes, delay=delay)
    return _error(_type_for_status(status, codes, message), model, status, codes, delay=delay)


def from_event(model: str, document: object) -> ProviderError:
    """Return the error for an error object in a stream, or in a response with status 200."""
    codes, message = _codes_and_message(document)
    statuses = [int(code) for code in codes if _STATUS.fullmatch(code)]
    if statuses:
        error_type = _type_for_status(statuses[0], codes, message)
    elif _TOO_LONG.search(message):
        error_type = ContextTooLong
    else:
        error_type = next((_BY_CODE[code] for code in codes if code in _BY_CODE), ModelUnavailable)
    return _error(error_type, model, HTTPStatus.OK, codes)


def _type_for_status(status: int, codes: list[str], message: str) -> ErrorType:
    if status != HTTPStatus.TOO_MANY_REQUESTS and _TOO_LONG.search(message):
        return ContextTooLong  # llama.cpp also sends this with status 500
    unlisted = next(
        (error_type for statuses, error_type in _BY_STATUS_RANGE if status in statuses),
        ModelUnavailable,
    )
    error_type = _BY_STATUS.get(status, unlisted)
    if error_type in {ModelBadRequest, ModelRateLimited}:
        return next((_BY_CODE[code] for code in codes if code in _BY_CODE), error_type)
    return error_type


def _codes_and_message(document: object) -> tuple[list[str], str]:
    """Return the vendor's codes, and its message, which is only for matching."""
    error = get_path(document, "error")
    candidates = (
        get_path(error, "code"),
        get_path(error, "type"),
        get_path(document, "error_type"),
        get_path(document, "code"),
        get_path(document, "type"),
    )
    codes = [str(each).lower() for each in candidates if each is not None]
    messages = (
        get_path(error, "message"),
        get_path(document, "message"),
        error,
        get_path(document, "detail"),
    )
    message = next((str(each) for each in messages if each), "")
    return [code for code in codes if _CODE.fullmatch(code)], message


def _error(
    error_type: ErrorType, model: str, status: int, codes: list[str], *, delay: float | None = None
) -> ProviderError:
    vendor_error = VendorError(f"status {int(status)} {' '.join(codes)}".rstrip())
    level = logging.INFO if error_type.retryable else logging.WARNING
    logger.log(level, "model %s: %s: %s", model, error_type.code, vendor_error)
    error = error_type(retry_after=None if delay is None else min(float(delay), MAX_RETRY_AFTER))
    error.__cause__ = vendor_error
    return error
