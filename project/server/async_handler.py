"""Django's ASGI handler, reduced to what polls, event streams and other calls that wait need."""

import asyncio
from io import BytesIO
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http.response import HttpResponseBadRequest

from chat.api.parsers import BODY
from project.server.body import Receive, Scope, Send
from project.server.body_reader import BodyReader, has_body


class AsyncHandler(ASGIHandler):
    """Calls async views; none of them uses the database.

    Django's own handler sends the signals of a request's start and end from a thread that it keeps
    for the whole request: one thread per waiting client (docs/adr/0011-asgi-routing.md).
    """

    def __init__(self, urlconf: str, bodies: BodyReader | None = None) -> None:
        """bodies: reads the bodies of requests before the view is called."""
        super().__init__()
        self.urlconf = urlconf
        self.bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, error_response = self.create_request(scope, BytesIO())
        if request is None:
            await self.send_response(error_response or HttpResponseBadRequest(), send)
        else:
            request.urlconf = self.urlconf
            if self.bodies is not None and has_body(request.META):
                is_complete = await _read_body(request, self.bodies, receive)
                send = send if is_complete else _closing(send)
            await self.respond(request, receive, send)

    async def respond(self, request: ASGIRequest, _: Receive, send: Send) -> None:
        await self.send_response(await self.run_get_response(request), send)


class CancellableAsyncHandler(AsyncHandler):
    """Cancels the view when the client disconnects."""

    async def respond(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                disconnect = tasks.create_task(_raise_on_disconnect(receive))
                await super().respond(request, receive, send)
                disconnect.cancel()
        except* RequestAborted:
            pass


async def _read_body(request: ASGIRequest, bodies: BodyReader, receive: Receive) -> bool:
    """Read the body for the view; return whether all of it was received."""
    body = await bodies.open(request.META)
    try:
        request.META[BODY] = await bodies.read(body, request.META, receive)
    finally:
        body.release()
    return body.is_complete


async def _raise_on_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise RequestAborted


def _closing(send: Send) -> Send:
    """Close the connection after the response: the rest of the body is not another request."""

    async def send_closing(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_closing
