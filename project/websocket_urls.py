"""All WebSocket routes."""

from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.urls import re_path

from chat.realtime import routing
from chat.realtime.close_codes import NOT_FOUND
from chat.tutorial import routing as tutorial_routing


async def not_found(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:  # noqa: ARG001
    """Accept, then close: clients do not see the close code of a rejected handshake."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    await send({"type": "websocket.close", "code": NOT_FOUND, "reason": ""})


urlpatterns: list[Any] = [
    *routing.urlpatterns,
    *tutorial_routing.urlpatterns,
    re_path("", not_found),  # type: ignore[arg-type]
]
