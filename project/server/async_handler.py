"""Django's ASGI handler, reduced to what polls, long polls and event streams need."""

import asyncio
from io import BytesIO

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http.response import HttpResponseBadRequest, HttpResponseBase

from project.server.body import Receive, Scope, Send


class AsyncHandler(ASGIHandler):
    """Calls async views for requests without a body; none of the views uses the database.

    Django's own handler sends the signals of a request's start and end from a thread that it keeps
    for the whole request: one thread per waiting client (docs/adr/0011-asgi-routing.md).
    """

    def __init__(self, urlconf: str) -> None:
        super().__init__()
        self.urlconf = urlconf

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        await self.send_response(await self._get_response(scope), send)

    async def _get_response(self, scope: Scope) -> HttpResponseBase:
        request, error_response = self.create_request(scope, BytesIO())
        if request is None:
            return error_response or HttpResponseBadRequest()
        request.urlconf = self.urlconf
        return await self.run_get_response(request)


class CancellableAsyncHandler(AsyncHandler):
    """Cancels the view when the client disconnects."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                disconnect = tasks.create_task(_raise_on_disconnect(receive))
                await super().__call__(scope, receive, send)
                disconnect.cancel()
        except* RequestAborted:
            pass


async def _raise_on_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise RequestAborted
