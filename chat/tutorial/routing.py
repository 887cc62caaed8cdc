"""The tutorial's WebSocket path."""

from typing import Any

from django.urls import re_path

from chat.tutorial.websocket import TutorialSocket

urlpatterns: list[Any] = [
    re_path("^chat$", TutorialSocket.as_asgi()),  # type: ignore[arg-type]
]
