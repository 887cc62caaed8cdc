"""Error pages of the admin."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from chat.domain.errors import StoreUnavailable
from chat.http.retry_after import whole_seconds

# Prefix of all paths of the admin.
ADMIN_PREFIX = "/admin/"
# Seconds.
DATABASE_RETRY_AFTER = 5
# SQLite's messages, in part -> explanation. Other messages could contain addresses and users.
DATABASE_REASONS = {
    "locked": "Another program is writing to it. Reload this page in a moment.",
    "readonly": "It is read-only: Parley needs permission to write the file and its directory.",
    "no such table": "It has no tables: run manage.py migrate.",
    "unable to open": "The file cannot be opened.",
    "full": "The disk is full.",
}
View = Callable[..., HttpResponse]


def error_page(request: HttpRequest, status: HTTPStatus, message: str) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": message}
    return TemplateResponse(request, "admin/chat/error.html", context, status=status)


def server_error_page(error: BaseException | None, request_id: str) -> HttpResponse:
    """Return a page for an exception: 503 if the database is unavailable, otherwise 500.

    Rendering it reads no database.
    """
    if isinstance(error, (InterfaceError, OperationalError)):
        reasons = (text for part, text in DATABASE_REASONS.items() if part in str(error))
        return _plain_page(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database of staff accounts is unavailable.",
            next(reasons, f"The log has the reason, under the request id {request_id}."),
        )
    return _plain_page(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong.",
        f"The log has the details, under the request id {request_id}.",
    )


def _plain_page(status: HTTPStatus, title: str, explanation: str) -> HttpResponse:
    context = {
        "site_title": admin.site.site_title,
        "site_header": admin.site.site_header,
        "title": title,
        "explanation": explanation,
    }
    page = render_to_string("admin/chat/server_error.html", context)
    response = HttpResponse(page, status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(DATABASE_RETRY_AFTER)
    return response


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
