"""The paths of WebSockets."""

from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.urls import re_path

NOT_FOUND = 4404
"""Close code for a path, or a session, that is not there."""


async def nothing_here(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:  # noqa: ARG001
    """Accept, then close: a client that is refused earlier never sees the code."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    await send({"type": "websocket.close", "code": NOT_FOUND, "reason": ""})


websocket_urlpatterns: list[Any] = [re_path("", nothing_here)]  # type: ignore[arg-type]
