"""The paths of WebSockets."""

from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.urls import path, re_path

from chat.push.closing import NOT_FOUND
from chat.push.sockets import SessionSocket
from chat.push.tutorial import TutorialSocket


async def nothing_here(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:  # noqa: ARG001
    """Accept, then close: a client that is refused earlier never sees the code."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    await send({"type": "websocket.close", "code": NOT_FOUND, "reason": ""})


websocket_urlpatterns: list[Any] = [
    path("sessions/<session_id>/ws", SessionSocket.as_asgi()),  # type: ignore[arg-type]
    re_path("^chat$", TutorialSocket.as_asgi()),  # type: ignore[arg-type]
    re_path("", nothing_here),  # type: ignore[arg-type]
]
