"""The paths of WebSockets."""

from typing import Any

from django.urls import path

from chat.realtime.websocket import SessionSocket

urlpatterns: list[Any] = [
    path("sessions/<session_id>/ws", SessionSocket.as_asgi()),  # type: ignore[arg-type]
]
