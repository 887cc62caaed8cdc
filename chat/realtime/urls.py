"""The paths of the async views. `project.server.application` routes requests to them."""

from django.urls import include, path

from chat.realtime import views

# The stubs do not accept async views.
paths = [
    path("live", views.live),  # type: ignore[arg-type]
    path("ready", views.ready),  # type: ignore[arg-type]
    path("messages", views.post_message),  # type: ignore[arg-type]
    path("sessions/<session_id>/messages", views.post_message),  # type: ignore[arg-type]
    path("sessions/<session_id>", views.session),  # type: ignore[arg-type]
    path("sessions/<session_id>/events", views.events),  # type: ignore[arg-type]
]

urlpatterns = [path("", include((paths, "api")))]
