"""All routes: the API without a prefix, the admin, and the chat page."""

import sys
from collections.abc import Callable
from http import HTTPStatus

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path, re_path

from chat.admin import api_keys, bans, deliveries, errors, feedback, history, operations, users
from chat.api import responses
from chat.api.exception_handler import bad_request, not_allowed, not_found, server_error
from chat.api.urls import urlpatterns as api_urls
from chat.pages.embed import frame, renderer_script
from chat.pages.views import chat_page, logo, manifest
from chat.tutorial.urls import urlpatterns as tutorial_urls

# The proxy has changed the Host header, if the form is not an attack.
FOREIGN_FORM = (
    "This form comes from another origin. If it does not, the proxy must pass on the Host header"
    " with its port, or CSRF_TRUSTED_ORIGINS must contain the origin."
)
EXPIRED_FORM = "This form has expired. Go back, reload the page and try again."

Handler = Callable[[HttpRequest, Exception], HttpResponseBase]


def staff_error(status: HTTPStatus, message: str, otherwise: Handler) -> Handler:
    """Return an error handler that shows a page in the admin and calls `otherwise` elsewhere."""

    def handle(request: HttpRequest, exception: Exception) -> HttpResponseBase:
        if request.path_info.startswith(errors.ADMIN_PREFIX):
            return errors.error_page(request, status, message)
        return otherwise(request, exception)

    return handle


handler400 = bad_request
handler403 = staff_error(HTTPStatus.FORBIDDEN, "You do not have permission.", not_allowed)
handler404 = staff_error(HTTPStatus.NOT_FOUND, "This page does not exist.", not_found)


def handler500(request: HttpRequest) -> HttpResponseBase:
    """Show a page in the admin, which is the only part that uses a database."""
    if not request.path_info.startswith(errors.ADMIN_PREFIX):
        return server_error(request)
    page = errors.server_error_page(sys.exc_info()[1], responses.get_request_id(request))
    return responses.add_headers(request, page)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Explain a form of another origin, or one without a valid CSRF token."""
    message = FOREIGN_FORM if reason.startswith("Origin") else EXPIRED_FORM
    handler = staff_error(HTTPStatus.FORBIDDEN, message, not_allowed)
    return handler(request, PermissionDenied(reason))


urlpatterns = [
    path("", include(([*api_urls, *tutorial_urls], "api"))),
    path("admin/", admin.site.admin_view(operations.front_page)),
    path("admin/operations/", admin.site.admin_view(operations.page), name="operations"),
    path("admin/operations/history/", admin.site.admin_view(history.page), name="history"),
    path("admin/feedback/", admin.site.admin_view(feedback.page), name="feedback"),
    path("admin/user/", admin.site.admin_view(users.page), name="user"),
    path("admin/deliveries/", admin.site.admin_view(deliveries.page), name="deliveries"),
    path("admin/api-keys/", admin.site.admin_view(api_keys.page), name="api_keys"),
    path("admin/bans/", admin.site.admin_view(bans.page), name="bans"),
    path("admin/", admin.site.urls),
    path("", chat_page, name="page"),
    path("embed", frame, name="frame"),
    path("embed/markdown.js", renderer_script),
    path("manifest.webmanifest", manifest, name="manifest"),
    path("logo", logo, name="logo"),
    # An unknown path returns a JSON 404, even if DEBUG is on.
    re_path("", not_found),
]
