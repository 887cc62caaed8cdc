"""The paths that wait, as the waiting lane of `project.asgi` knows them."""

from django.urls import include, path

from chat.realtime import views

# The stubs know of no async views.
paths = [
    path("sessions/<session_id>", views.session),  # type: ignore[arg-type]
    path("sessions/<session_id>/events", views.events),  # type: ignore[arg-type]
]

urlpatterns = [path("", include((paths, "api")))]
