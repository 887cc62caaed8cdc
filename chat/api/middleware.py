"""What every request passes first, and the short way from there to the API's views."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from chat.api import responses
from chat.api.exception_handler import check_host, not_found
from chat.logging import reset_context
from chat.tracing import NO_SPAN, Span, SpanKind, tracing

# Answers a request, or promises to (under ASGI).
Handler = Callable[[HttpRequest], Any]
# What a page of a listed origin may send.
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "DELETE, GET, PATCH, POST",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-ID"
    ),
    "Access-Control-Max-Age": "600",
}


# What an orchestrator asks by an address of its own, which need not be a name of the service.
PROBE_PATHS = {"/live", "/ready"}


class APIMiddleware:
    """Checks the host, answers CORS preflights, and puts the standing headers on every answer.

    A path of the API goes from here straight to its view. Cookies, CSRF, messages and users are the
    admin's alone; their middleware would take a tenth of a poll's time, and under ASGI each of them
    costs two changes of thread. So this must stand first.
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
        reset_context(request_id=responses.request_id_of(request))
        handler = self._handler(request)
        with _span(request) as span:
            response = responses.add_headers(request, handler(request))
            span.set_attribute("http.response.status_code", response.status_code)
        return response

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        reset_context(request_id=responses.request_id_of(request))
        found = self._handler(request)(request)
        response = await found if isinstance(found, Awaitable) else found
        return responses.add_headers(request, cast(HttpResponseBase, response))

    def _handler(self, request: HttpRequest) -> Handler:
        if not _is_probe(request) and (refusal := check_host(request)) is not None:
            return lambda _: refusal
        if _is_preflight(request):
            return lambda _: HttpResponse(status=204, headers=PREFLIGHT_HEADERS)
        return self._view(request) or self.get_response

    def _view(self, request: HttpRequest) -> Handler | None:
        """Return the view of an API path or of one that nothing knows; `None`: it is the site's."""
        try:
            match = resolve(request.path_info, getattr(request, "urlconf", None))
        except Resolver404:
            return None
        # A mistyped path has no form, and its client should not be told of a CSRF token.
        if "api" not in match.app_names and match.func is not not_found:
            return None
        request.resolver_match = match
        return partial(match.func, **match.kwargs)


def _is_probe(request: HttpRequest) -> bool:
    """Whether it may come by any name; what a token guards cannot be read by a rebound one."""
    path = request.path_info
    return path in PROBE_PATHS or (path == "/metrics" and bool(settings.METRICS_TOKEN))


def _span(request: HttpRequest) -> AbstractContextManager[Span]:
    """Record a POST: what only reads is asked far too often, and tells nothing of a turn."""
    if request.method != "POST" or request.resolver_match is None:
        return NO_SPAN
    return tracing.span(
        f"POST /{request.resolver_match.route}",
        kind=SpanKind.SERVER,
        parent=request.META.get("HTTP_TRACEPARENT", ""),
        http__request__method="POST",
    )


def _is_preflight(request: HttpRequest) -> bool:
    return (
        request.method == "OPTIONS"
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META
        and request.META.get("HTTP_ORIGIN") in settings.CORS_ORIGINS
    )
