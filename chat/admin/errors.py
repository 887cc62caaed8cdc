"""What staff are told when Redis gives no answer."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from chat.domain.errors import StoreUnavailable
from chat.http.retry_after import whole_seconds

# What all paths of the admin begin with.
ADMIN_PREFIX = "/admin/"
View = Callable[..., HttpResponse]
TEMPLATE = "admin/chat/session/trouble.html"


def error_page(request: HttpRequest, status: HTTPStatus, told: str) -> HttpResponse:
    """Tell staff in a page that they get nothing here."""
    context = {**admin.site.each_context(request), "title": told}
    return TemplateResponse(request, "admin/chat/refused.html", context, status=status)


def handle_store_errors(view: View) -> View:
    """Show a page instead of a fault when Redis gives no answer."""

    @wraps(view)
    def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
            # Lists are read when they are shown.
            return response.render() if isinstance(response, TemplateResponse) else response
        except StoreUnavailable as error:
            context = {**admin.site.each_context(request), "title": error.message}
            status = HTTPStatus.SERVICE_UNAVAILABLE
            wait = {"Retry-After": str(whole_seconds(error.retry_after))}
            return TemplateResponse(request, TEMPLATE, context, status=status, headers=wait)

    return told
