"""Error pages of the admin."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from chat.domain.errors import StoreUnavailable
from chat.http.retry_after import whole_seconds

# Prefix of all paths of the admin.
ADMIN_PREFIX = "/admin/"
View = Callable[..., HttpResponse]


def error_page(request: HttpRequest, status: HTTPStatus, message: str) -> HttpResponse:
    """Return a page with this message."""
    context = {**admin.site.each_context(request), "title": message}
    return TemplateResponse(request, "admin/chat/error.html", context, status=status)


def handle_store_errors(view: View) -> View:
    """Return the view with an error page for a Redis that is unavailable."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
            # Rendering reads the query sets.
            return response.render() if isinstance(response, TemplateResponse) else response
        except StoreUnavailable as error:
            return TemplateResponse(
                request,
                "admin/chat/store_error.html",
                {**admin.site.each_context(request), "title": error.message},
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                headers={"Retry-After": str(whole_seconds(error.retry_after))},
            )

    return wrapper
