"""The tutorial's WebSocket path."""

from typing import Any

from django.urls import re_path

from chat.tutorial.websocket import TutorialWebSocket

urlpatterns: list[Any] = [
    re_path("^chat$", TutorialWebSocket.as_asgi()),  # type: ignore[arg-type]
]
