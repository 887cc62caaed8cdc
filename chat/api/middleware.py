"""The first middleware of every request; it calls the API's views directly."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

from chat.accounts import client_ip
from chat.api import probes, responses
from chat.api.exception_handler import (
    check_client,
    check_host,
    check_origin,
    check_query,
    count_rejected,
    not_found,
)
from chat.logging import reset_context
from chat.tracing import NO_SPAN, Span, SpanKind, tracing

# The attribute of views that need no other middleware.
API_MARK = "is_parley_api"
F = TypeVar("F", bound=Callable[..., Any])
# Returns a response, or an awaitable of one (under ASGI).
Handler = Callable[[HttpRequest], Any]
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-ID"
)
# Names of headers as browsers list them.
HEADER_NAMES = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(, ?[a-z0-9!#$%&'*+.^_`|~-]+)*", re.IGNORECASE)
MAX_HEADER_NAMES_CHARS = 2000
# Paths of messages, polls and event streams whose views are remembered, and their length.
MAX_CACHED_PATHS = 4096
MAX_CACHED_CHARS = 100


def mark_as_api(view: F) -> F:
    """Mark a view of Parley's API: it authenticates by token, so it needs no CSRF check."""
    setattr(view, API_MARK, True)
    return view


class APIMiddleware:
    """Checks the host, handles CORS preflights, and adds the default headers to every response.

    Requests to the API skip all other middleware: only the admin needs cookies, CSRF, messages and
    users. That middleware would take a tenth of a poll's time, and two thread switches each under
    ASGI. Therefore this one must come first.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._respond(request)
        reset_context(request_id=responses.get_request_id(request))
        client_ip.remove_untrusted_headers(request.META)
        handler = self._handler(request)
        with _span(request) as span:
            response = responses.add_headers(request, handler(request))
            count_rejected(request, response)
            span.set_attribute("http.response.status_code", response.status_code)
        return response

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        reset_context(request_id=responses.get_request_id(request))
        client_ip.remove_untrusted_headers(request.META)
        handler = self._handler(request)
        with _span(request) as span:
            result = handler(request)
            found = await result if isinstance(result, Awaitable) else result
            response = responses.add_headers(request, cast(HttpResponseBase, found))
            count_rejected(request, response)
            span.set_attribute("http.response.status_code", response.status_code)
        return response

    def _handler(self, request: HttpRequest) -> Handler:
        path = probes.health_path(request)
        if not (path or _accepts_any_host(request)) and (error := check_host(request)) is not None:
            if not probes.is_root_check(request):
                return lambda _: error
            path = probes.LIVE
        if (error := check_query(request)) is not None:
            return lambda _: error
        if _is_preflight(request):
            return _preflight_response
        view = self._view(request, path or request.path_info)
        if view is None:
            return self.get_response
        error = None if _serves_operators(request, path) else check_client(request)
        error = error or check_origin(request)
        return view if error is None else lambda _: error

    def _view(self, request: HttpRequest, path: str) -> Handler | None:
        """Return the view of an API path or of an unknown path; `None` for paths of the site."""
        urlconf = getattr(request, "urlconf", None)
        is_hot = urlconf is not None and len(path) <= MAX_CACHED_CHARS
        try:
            match = _resolve_cached(path, urlconf) if is_hot else resolve(path, urlconf)
        except Resolver404:
            return None
        # A POST to a mistyped path must return 404, not a CSRF error.
        if not hasattr(match.func, API_MARK) and match.func is not not_found:
            return None
        request.resolver_match = match
        return partial(match.func, **match.kwargs)


@lru_cache(maxsize=MAX_CACHED_PATHS)
def _resolve_cached(path: str, urlconf: str) -> ResolverMatch:
    """Return the view of a path. Django compares it with a regular expression for each route."""
    return resolve(path, urlconf)


def _accepts_any_host(request: HttpRequest) -> bool:
    """Return whether any Host is allowed: a token protects /metrics from DNS rebinding."""
    return request.path_info == "/metrics" and bool(settings.METRICS_TOKEN)


def _serves_operators(request: HttpRequest, health_path: str | None) -> bool:
    """Return whether the request is a probe or reads the metrics; no ban applies to these."""
    return bool(health_path) or request.path_info == "/metrics"


def _span(request: HttpRequest) -> AbstractContextManager[Span]:
    """Return a span for a POST. Other requests are too frequent and start no turn."""
    if request.method != "POST" or request.resolver_match is None:
        return NO_SPAN
    return tracing.span(
        f"POST /{request.resolver_match.route}",
        kind=SpanKind.SERVER,
        parent=request.META.get("HTTP_TRACEPARENT", ""),
        http__request__method="POST",
    )


def _preflight_response(request: HttpRequest) -> HttpResponse:
    """Allow the requested headers: tracers of pages add their own, such as `traceparent`."""
    requested = request.META.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    is_valid = HEADER_NAMES.fullmatch(requested) and len(requested) <= MAX_HEADER_NAMES_CHARS
    headers = {
        "Access-Control-Allow-Methods": "DELETE, GET, PATCH, POST",
        "Access-Control-Allow-Headers": requested if is_valid else ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    return HttpResponse(status=204, headers=headers)


def _is_preflight(request: HttpRequest) -> bool:
    return (
        request.method == "OPTIONS"
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META
        and request.META.get("HTTP_ORIGIN") in settings.CORS_ORIGINS
    )
