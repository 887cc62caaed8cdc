"""Django's ASGI handler, reduced to what polls, event streams and other calls that wait need."""

import asyncio
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBadRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.log import log_response

from chat.api.exception_handler import not_found
from chat.api.middleware import APIMiddleware
from chat.api.parsers import BODY
from project.server.body import Receive, Scope, Send
from project.server.body_reader import BodyReader, has_body
from project.server.wsgi_adapter import convert_response


class AsyncHandler(ASGIHandler):
    """Calls async views; none of them uses the database.

    They need no middleware but the API's. Django's own handler sends the signals of a request's
    start and end from a thread that it keeps for the whole request: one thread per waiting client
    (docs/adr/0011-asgi-routing.md).
    """

    def __init__(self, urlconf: str, bodies: BodyReader | None = None) -> None:
        """bodies: reads the bodies of requests before the view is called."""
        super().__init__()
        self.get_api_response: Any = convert_exception_to_response(APIMiddleware(_not_found))
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

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        """Send the response, and close a stream in the end."""
        if isinstance(response, StreamingHttpResponse):
            await super().send_response(response, send)
            return
        status, headers, body = convert_response(response)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def respond(self, request: ASGIRequest, _: Receive, send: Send) -> None:
        response = await self.get_api_response(request)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log(request, response)
        await self.send_response(response, send)


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


async def _not_found(request: HttpRequest) -> HttpResponseBase:
    return not_found(request)


def _log(request: HttpRequest, response: HttpResponse) -> None:
    """Log an error. Django's own handler does it in a thread."""
    reason = response.reason_phrase
    log_response("%s: %s", reason, request.path, response=response, request=request)


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
