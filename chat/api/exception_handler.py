"""Error responses: one JSON body for all errors, and the HTTP status of each error code."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions

from chat.accounts import bans, principals, read_limits
from chat.accounts.client_ip import client_address
from chat.api import auth, origin, responses
from chat.domain import errors
from chat.http.retry_after import whole_seconds

logger = logging.getLogger(__name__)

# Of the errors that responses and WebSockets report; `TurnFailed` and `InternalError` have none.
STATUSES: Mapping[str, HTTPStatus] = {
    "invalid_request": HTTPStatus.BAD_REQUEST,
    "unknown_model": HTTPStatus.BAD_REQUEST,
    "unsupported_parameter": HTTPStatus.BAD_REQUEST,
    "unsupported_content": HTTPStatus.BAD_REQUEST,
    "stream_trimmed": HTTPStatus.BAD_REQUEST,
    "forbidden_url": HTTPStatus.BAD_REQUEST,
    "invalid_host": HTTPStatus.BAD_REQUEST,
    "headers_too_large": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "request_timeout": HTTPStatus.REQUEST_TIMEOUT,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "idempotency_mismatch": HTTPStatus.CONFLICT,
    "invalid_token": HTTPStatus.UNAUTHORIZED,
    "session_expired": HTTPStatus.UNAUTHORIZED,
    "auth_timeout": HTTPStatus.REQUEST_TIMEOUT,
    "not_allowed": HTTPStatus.FORBIDDEN,
    "banned": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "session_not_found": HTTPStatus.NOT_FOUND,
    "message_not_found": HTTPStatus.NOT_FOUND,
    "file_not_found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "session_busy": HTTPStatus.CONFLICT,
    "not_editable": HTTPStatus.CONFLICT,
    "not_last_turn": HTTPStatus.CONFLICT,
    "not_regenerable": HTTPStatus.CONFLICT,
    "nothing_to_continue": HTTPStatus.CONFLICT,
    "feedback_not_allowed": HTTPStatus.CONFLICT,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "token_budget_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "budget_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "address_quota_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "quota_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "session_queue_full": HTTPStatus.TOO_MANY_REQUESTS,
    "owner_queue_full": HTTPStatus.TOO_MANY_REQUESTS,
    "session_full": HTTPStatus.TOO_MANY_REQUESTS,
    "session_files_full": HTTPStatus.TOO_MANY_REQUESTS,
    "queue_full": HTTPStatus.SERVICE_UNAVAILABLE,
    "issuer_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "store_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "store_full": HTTPStatus.SERVICE_UNAVAILABLE,
    # WebSockets close with 4413 instead (chat.realtime.close_codes).
    "slow_consumer": HTTPStatus.REQUEST_TIMEOUT,
    "error": HTTPStatus.INTERNAL_SERVER_ERROR,
}


TOO_MANY_PARAMETERS = "The query has too many parameters."

# Types of errors: the SDKs of OpenAI and others choose the exception to raise by them.
CLIENT_ERROR = "invalid_request_error"
ERROR_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


def handle(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the error response for a view's exception; with `None`, Django responds with 500.

    This is DRF's EXCEPTION_HANDLER.
    """
    error = to_parley_error(exc)
    return None if error is None else error_response(error, context["request"]._request)  # noqa: SLF001


def error_response(
    error: errors.ParleyError, request: HttpRequest, status: int | None = None
) -> HttpResponse:
    """Return the response; status: by default that of the error's code."""
    status = status or STATUSES[error.code]
    retry_after = _retry_after(error)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = f'Bearer error="{error.code}"'
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = orjson.dumps(error_body(error, responses.get_request_id(request)))
    return responses.json(body, status, headers)


def error_response_without_request(error: errors.ParleyError) -> HttpResponse:
    """Return the error response for a request that could not be parsed."""
    request = HttpRequest()
    response = error_response(error, request)
    responses.add_headers(request, response)
    return response


def error_body(error: errors.ParleyError, request_id: str) -> dict[str, Any]:
    """Return the JSON of an error: of a response, or of a WebSocket frame."""
    return {
        "error": {
            "code": error.code,
            "type": _type_of(error),
            "message": error.message,
            "param": error.param,
            "request_id": request_id,
            "retry_after": _retry_after(error),
        },
        "detail": error.message,
    }


def _type_of(error: errors.ParleyError) -> str:
    """Return the class of an error, in OpenAI's terms."""
    status = STATUSES.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    default = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else CLIENT_ERROR
    return ERROR_TYPES.get(status, default)


def _retry_after(error: errors.ParleyError) -> int | None:
    return whole_seconds(error.retry_after) if isinstance(error, errors.Unavailable) else None


def to_parley_error(exc: Exception) -> errors.ParleyError | None:
    """Convert an exception of Django or DRF; `None` if it is unexpected."""
    match exc:
        case errors.InternalError():
            return None
        case errors.ParleyError():
            return exc
        case exceptions.ValidationError():
            param, message = _first_detail(exc.detail)
            return errors.InvalidRequest(message, param=param)
        case exceptions.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case Http404():
            return errors.NotFound()
    return None


def _first_detail(detail: Any, param: str = "") -> tuple[str | None, str]:
    """Return the dotted path of the first invalid field, and its error message."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        key = "" if name == "non_field_errors" else str(name)
        return _first_detail(inner, ".".join(filter(None, (param, key))))
    if isinstance(detail, list):
        return _first_detail(detail[0], param)
    return param or None, str(detail)


def check_host(request: HttpRequest) -> HttpResponseBase | None:
    """Return an error response if the Host header names another service."""
    try:
        request.get_host()
    except DisallowedHost:
        return error_response(errors.InvalidHost(), request)
    return None


def check_origin(request: HttpRequest) -> HttpResponseBase | None:
    """Return an error response if a page of another site makes a request that changes something."""
    try:
        origin.check_request(request)
    except errors.NotAllowed as error:
        return error_response(error, request)
    return None


def check_client(request: HttpRequest) -> HttpResponseBase | None:
    """Return an error response if the client's address is banned, or sends many bad requests."""
    address = client_address(request.META)
    try:
        bans.check_address(address)
        read_limits.check_rejected(address)
    except (errors.Banned, errors.RateLimited) as error:
        return error_response(error, request)
    return None


def count_rejected(request: HttpRequest, response: HttpResponseBase) -> None:
    """Count the request if its response is an error of the client.

    The 429 of an API key or JWT does not count: it may be one of many users behind an address.
    """
    status = response.status_code
    if not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    is_limited = status == HTTPStatus.TOO_MANY_REQUESTS
    if not (is_limited and principals.is_principal_token(auth.bearer_token(request.META))):
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        read_limits.count_rejected(client_address(request.META), length)


def check_query(request: HttpRequest) -> HttpResponseBase | None:
    """Return an error response if there are more query parameters than Django parses."""
    most: Any = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    if most is None or request.META.get("QUERY_STRING", "").count("&") < most:
        return None
    return error_response(errors.InvalidRequest(TOO_MANY_PARAMETERS), request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    """Return the error response; this is Django's handler400."""
    return responses.add_headers(request, error_response(errors.InvalidRequest(), request))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:  # noqa: ARG001
    """Return the error response; this is Django's handler404 and the view of unknown paths."""
    return responses.add_headers(request, error_response(errors.NotFound(), request))


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    """Return the error response; this is Django's handler403."""
    return responses.add_headers(request, error_response(errors.NotAllowed(), request))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Return the error response, which reveals only the request id; this is Django's handler500."""
    logger.error("Request %s failed with an exception", responses.get_request_id(request))
    return responses.add_headers(request, error_response(errors.ParleyError(), request))
