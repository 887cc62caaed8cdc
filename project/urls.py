"""All routes: the API without a prefix, the admin, and a page for people."""

from django.contrib import admin
from django.urls import include, path, re_path

from chat.admin import deliveries, operations
from chat.api.exception_handler import bad_request, failed, not_allowed, not_found
from chat.pages.views import Page

handler400 = bad_request
handler403 = not_allowed
handler404 = not_found
handler500 = failed

urlpatterns = [
    path("", include("chat.api.urls")),
    path("admin/operations/", admin.site.admin_view(operations.page), name="operations"),
    path("admin/deliveries/", admin.site.admin_view(deliveries.page), name="deliveries"),
    path("admin/", admin.site.urls),
    path("", Page.as_view(), name="page"),
    # DEBUG or not, what does not exist is a JSON 404.
    re_path("", not_found),
]
