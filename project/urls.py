"""All routes: the API without a prefix, the admin, and a page for people."""

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path, re_path

from chat.admin import deliveries, errors, operations
from chat.api.exception_handler import bad_request, failed, not_allowed, not_found
from chat.api.urls import urlpatterns as api_urls
from chat.pages.views import Page
from chat.tutorial.urls import urlpatterns as tutorial_urls

Handler = Callable[[HttpRequest, Exception], HttpResponseBase]


def refusing(status: HTTPStatus, told: str, otherwise: Handler) -> Handler:
    """Return what refuses staff by a page, and all others as the API does."""

    def refuse(request: HttpRequest, exception: Exception) -> HttpResponseBase:
        if request.path.startswith(errors.BEFORE):
            return errors.refused(request, status, told)
        return otherwise(request, exception)

    return refuse


handler400 = bad_request
handler403 = refusing(HTTPStatus.FORBIDDEN, "You may not do this.", not_allowed)
handler404 = refusing(HTTPStatus.NOT_FOUND, "There is nothing here.", not_found)
handler500 = failed


def forged(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Refuse what bears no CSRF token, as all else that is not allowed."""
    return handler403(request, PermissionDenied(reason))


urlpatterns = [
    path("", include(([*api_urls, *tutorial_urls], "api"))),
    path("admin/operations/", admin.site.admin_view(operations.page), name="operations"),
    path("admin/deliveries/", admin.site.admin_view(deliveries.page), name="deliveries"),
    path("admin/", admin.site.urls),
    path("", Page.as_view(), name="page"),
    # DEBUG or not, what does not exist is a JSON 404.
    re_path("", not_found),
]
