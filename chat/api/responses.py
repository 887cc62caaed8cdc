"""Responses and their default headers."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders
from django.utils.cache import patch_vary_headers

from chat.api.headers import etag, request_id

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SITE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
NO_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
# Response headers that pages of CORS_ORIGINS may read.
EXPOSED_HEADERS = "ETag, Location, Retry-After, X-Request-ID"


def json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json", headers=headers)


def location(path: str) -> dict[str, str]:
    """Return the header that names a new resource by its path, below URL_PREFIX."""
    return {"Location": settings.URL_PREFIX + path}


def json_with_etag(body: bytes, seq: int, after: int, limit: int) -> HttpResponse:
    """Return the JSON of a snapshot, with the snapshot's ETag."""
    return json(body, headers={"ETag": etag(seq, after, limit)})


def not_modified(seq: int, after: int, limit: int) -> HttpResponse:
    """Return 304: the session has not changed since `seq`."""
    headers = {"ETag": etag(seq, after, limit)}
    response = HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    del response.headers["Content-Type"]
    return response


def no_content() -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    del response.headers["Content-Type"]
    return response


def get_request_id(request: HttpRequest) -> str:
    """Return the request's id, the same one at each call."""
    cached = request.META.get("parley.request_id")
    if cached is None:
        cached = request.META["parley.request_id"] = request_id(request.META)
    return str(cached)


def add_headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Return the response with the default headers; headers that the view has set are kept."""
    headers = response.headers
    is_api = headers.get("Content-Type", "application/json") == "application/json"
    headers["X-Request-ID"] = get_request_id(request)
    headers._store = {**_stored_defaults(is_api=is_api), **headers._store}  # noqa: SLF001
    if isinstance(response, HttpResponse) and response.status_code not in NO_BODY:
        headers.setdefault("Content-Length", str(len(response.content)))
    origin = request.META.get("HTTP_ORIGIN", "")
    if origin in settings.CORS_ORIGINS:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        patch_vary_headers(response, ["Origin"])
    return response


@cache
def _stored_defaults(*, is_api: bool) -> dict[str, tuple[str, str]]:
    """Return the default headers as Django stores headers: it takes 15 us to set them."""
    return ResponseHeaders(dict(default_headers(is_api=is_api)))._store  # noqa: SLF001


@cache
def default_headers(*, is_api: bool) -> tuple[tuple[str, str], ...]:
    """Return the headers of all API responses, or of all pages and static files."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer" if is_api else "same-origin",
        "Content-Security-Policy": API_POLICY if is_api else SITE_POLICY,
    }
    if is_api:
        headers["Cache-Control"] = "no-store"
    if settings.SECURE_HSTS_SECONDS:
        subdomains = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
        headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}{subdomains}"
    return tuple(headers.items())
