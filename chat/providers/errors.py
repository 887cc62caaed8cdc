"""Translate everything that fails between Parley and a model into `ProviderError`s.

These errors never contain a vendor's message, because it may quote the prompt or the token. The log
and the error's cause contain the status and the vendor's error codes only.
"""

import logging
import math
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

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
)
from chat.http.errors import READ_ERRORS, ConnectTimeout, InvalidHTTP
from chat.http.retry_after import retry_after
from chat.providers import error_text
from chat.providers.json_access import get_path

logger = logging.getLogger(__name__)

_STATUS = re.compile(r"[45]\d\d", re.ASCII)
# Vendors' codes that the log shows.
_MAX_CODES = 4

ErrorType = type[ProviderError]

# The first row that matches any error in the chain of causes applies.
_BY_CAUSE: tuple[tuple[tuple[type[BaseException], ...], ErrorType], ...] = (
    ((ssl.SSLCertVerificationError,), ModelTLSError),
    ((ConnectTimeout,), ModelUnavailable),
    ((TimeoutError,), ModelTimeout),
    ((InvalidHTTP,), ModelInvalidResponse),
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

# Statuses of errors whose text may say when to try again.
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

# The other statuses below 500. A redirect is not followed.
_BY_STATUS_RANGE: tuple[tuple[range, ErrorType], ...] = (
    (range(100, 300), ModelInvalidResponse),
    (range(300, 500), ModelBadRequest),
)

# Codes of accounts that have no credit, which some vendors send with status 429.
_NO_CREDIT = (
    "insufficient_quota",  # OpenAI
    "billing_hard_limit_reached",
    "billing_not_active",
    "exceeded_current_quota_error",  # Moonshot
    "insufficient_balance",
    "1113",  # Zhipu
)

# Vendors' own codes and types that are more specific than the status.
_BY_CODE: dict[str, ErrorType] = {
    "context_length_exceeded": ContextTooLong,  # OpenAI, vLLM
    "context_window_exceeded": ContextTooLong,
    "model_context_window_exceeded": ContextTooLong,  # Anthropic, Zhipu
    "exceed_context_size_error": ContextTooLong,  # llama.cpp
    "request_too_large": ContextTooLong,  # Anthropic
    "tokens_limit_reached": ContextTooLong,  # GitHub Models
    "capacity_exceeded": ModelRateLimited,  # Groq, as 498
    "throttlingexception": ModelRateLimited,  # Bedrock
    "rate_limit_exceeded": ModelRateLimited,
    "rate_limit_error": ModelRateLimited,  # Anthropic
    "rate_limited": ModelRateLimited,  # Mistral
    "too_many_requests": ModelRateLimited,
    "resource_exhausted": ModelRateLimited,  # Gemini
    "throttling_error": ModelRateLimited,  # LiteLLM
    "overloaded": ModelRateLimited,  # TGI
    "validation": ModelBadRequest,  # TGI
    "invalid_request_error": ModelBadRequest,
    "badrequesterror": ModelBadRequest,  # vLLM
    "invalid_argument": ModelBadRequest,  # Gemini
    "authentication_error": ModelBadRequest,
    "permission_error": ModelBadRequest,
    "not_found_error": ModelBadRequest,
    "invalid_api_key": ModelBadRequest,
    "model_not_found": ModelBadRequest,
    **dict.fromkeys(_NO_CREDIT, ModelBadRequest),
}
# With status 429, only these codes mean that waiting does not help.
_PERMANENT_CODES = {*_NO_CREDIT, "context_length_exceeded", "request_too_large"}

# Seconds until the next call to a loading model that sends no estimate. OpenAI's formats have no
# field for one, and without a delay the turn would use up its attempts.
LOADING_RETRY_AFTER = 5.0
# Seconds; longer delays that a vendor requests are shortened to one day. CHAT_MAX_RETRY_AFTER
# limits how long a Retry-After blocks other calls.
MAX_PARSED_RETRY_AFTER = 86_400.0


class VendorError(Exception):
    """A vendor's error response: the status and the vendor's codes, without any text."""


@contextmanager
def map_http_errors() -> Iterator[None]:
    """Translate the errors of `chat.http`, sockets and TLS.

    Raises:
        ProviderError: the error is its cause.
    """
    try:
        yield
    except (ConnectTimeout, *READ_ERRORS) as error:
        raise _error_type(error) from error


def _error_type(error: BaseException) -> ErrorType:
    chain = _chain(error)
    for causes, error_type in _BY_CAUSE:
        if any(isinstance(link, causes) for link in chain):
            return error_type
    return ModelUnavailable


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def from_response(
    model: str, status: int, headers: Mapping[str, str], document: object
) -> ProviderError:
    """Return the error for a response whose status is not 2xx.

    document: its body, parsed if it is JSON.
    """
    codes, message = error_text.read(document)
    delay = retry_after(headers)
    if delay is None and status in _BUSY:
        delay = error_text.requested_delay(document)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        estimate = _loading_time(document, is_loading=error_text.is_loading_in_503(message))
        if estimate is not None:
            delay = max(delay or 0, estimate) or LOADING_RETRY_AFTER
            return _error(ModelLoading, model, status, codes, delay=delay)
    return _error(_type_for_status(status, codes, message), model, status, codes, delay=delay)


def from_event(model: str, document: object) -> ProviderError:
    """Return the error for an error in a stream, or in a response with status 200.

    document: a JSON value, or the text of an error that is not JSON.
    """
    codes, message = error_text.read(document)
    status = next((int(code) for code in codes if _STATUS.fullmatch(code)), None)
    if status in {None, HTTPStatus.SERVICE_UNAVAILABLE}:
        is_loading = error_text.is_loading_without_status(message)
        estimate = _loading_time(document, is_loading=is_loading)
        if estimate is not None:
            loading_delay = estimate or LOADING_RETRY_AFTER
            return _error(ModelLoading, model, HTTPStatus.OK, codes, delay=loading_delay)
    error_type = (
        _type_for_status(status, codes, message) if status else _type_for_text(codes, message)
    )
    delay = error_text.requested_delay(document) if error_type is ModelRateLimited else None
    return _error(error_type or ModelUnavailable, model, HTTPStatus.OK, codes, delay=delay)


def is_known(document: Mapping[str, object]) -> bool:
    """Return whether an object is an error of a known type, and not another message."""
    codes, message = error_text.read(document)
    has_status = any(map(_STATUS.fullmatch, codes))
    is_error = has_status or document.get("object") == "error"
    return is_error or _type_for_text(codes, message) is not None


def from_text(model: str, text: str) -> ProviderError | None:
    """Return the error that a text in a stream reports, or `None` if it reports none."""
    if error_text.is_loading_without_status(text) or _type_for_text([], text):
        return from_event(model, text)
    return None


def _loading_time(document: object, *, is_loading: bool) -> float | None:
    """Return the seconds until a model is loaded, 0 if unknown, or `None` if it is not loading."""
    first = document[0] if isinstance(document, list) and document else document
    estimate = get_path(first, "estimated_time")  # Hugging Face
    if isinstance(estimate, int | float) and math.isfinite(estimate):
        return max(0.0, estimate)
    return 0.0 if is_loading else None


def _type_for_status(status: int, codes: list[str], message: str) -> ErrorType:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        if error_text.is_too_large(message):
            return ContextTooLong
        codes = [code for code in codes if code in _PERMANENT_CODES]
    elif error_text.is_too_long(message):
        return ContextTooLong  # llama.cpp also sends this with status 500
    unlisted = next(
        (error_type for statuses, error_type in _BY_STATUS_RANGE if status in statuses),
        ModelUnavailable,
    )
    error_type = _BY_STATUS.get(status, unlisted)
    if error_type in {ModelBadRequest, ModelRateLimited}:
        return next((_BY_CODE[code] for code in codes if code in _BY_CODE), error_type)
    return error_type


def _type_for_text(codes: list[str], message: str) -> ErrorType | None:
    """Return the type of an error without a status, or `None` if it is unknown."""
    if error_text.is_too_long(message) or error_text.is_too_large(message):
        return ContextTooLong
    known = next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)
    return known or (ModelRateLimited if error_text.is_rate_limit(message) else None)


def _error(
    error_type: ErrorType, model: str, status: int, codes: list[str], *, delay: float | None = None
) -> ProviderError:
    vendor_error = VendorError(f"status {int(status)} {' '.join(codes[:_MAX_CODES])}".rstrip())
    level = logging.INFO if error_type.retryable else logging.WARNING
    logger.log(level, "model %s: %s: %s", model, error_type.code, vendor_error)
    if delay is not None and not error_type.retryable:
        delay = None  # waiting does not help, and must not delay other calls
    error = error_type(
        retry_after=None if delay is None else min(float(delay), MAX_PARSED_RETRY_AFTER),
        is_busy=status in _BUSY,
    )
    error.__cause__ = vendor_error
    return error
