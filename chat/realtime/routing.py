"""The WebSocket path."""

from typing import Any

from django.urls import path

from chat.realtime.websocket import SessionWebSocket

urlpatterns: list[Any] = [
    path("sessions/<session_id>/ws", SessionWebSocket.as_asgi()),  # type: ignore[arg-type]
]
