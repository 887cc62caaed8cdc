"""All routes: the API without a prefix, the admin, and the chat page."""

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path, re_path

from chat.admin import deliveries, errors, operations
from chat.api.exception_handler import bad_request, not_allowed, not_found, server_error
from chat.api.urls import urlpatterns as api_urls
from chat.pages.views import ChatPage
from chat.tutorial.urls import urlpatterns as tutorial_urls

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
handler500 = server_error


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Handle a missing or wrong CSRF token like any other forbidden request."""
    return handler403(request, PermissionDenied(reason))


urlpatterns = [
    path("", include(([*api_urls, *tutorial_urls], "api"))),
    path("admin/operations/", admin.site.admin_view(operations.page), name="operations"),
    path("admin/deliveries/", admin.site.admin_view(deliveries.page), name="deliveries"),
    path("admin/", admin.site.urls),
    path("", ChatPage.as_view(), name="page"),
    # An unknown path returns a JSON 404, even if DEBUG is on.
    re_path("", not_found),
]
