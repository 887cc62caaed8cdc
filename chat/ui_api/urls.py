"""The paths of the API for the AI SDK. `project.server.application` routes requests to them."""

from django.urls import path, re_path

from chat.api.exception_handler import not_found
from chat.protocols.requests import api_view
from chat.ui_api import views

# The stubs do not accept async views.
urlpatterns = [
    path("ui/chat", api_view(post=views.create_turn)),  # type: ignore[arg-type]
    path("ui/chat/<path:chat_id>/stream", api_view(get=views.resume)),  # type: ignore[arg-type]
    path("ui/chat/<path:chat_id>/stop", api_view(post=views.stop)),  # type: ignore[arg-type]
    path("ui/chat/<path:chat_id>/messages", api_view(get=views.list_messages)),  # type: ignore[arg-type]
    re_path("", not_found),
]
