"""Django's ASGI handler for polls and for requests that wait, pared down to what they need."""

import asyncio
from io import BytesIO

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http.response import HttpResponseBadRequest, HttpResponseBase

from project.server.body import Receive, Scope, Send


class PollingHandler(ASGIHandler):
    """Answers GETs by async views; none of them uses the database.

    Django's own handler tells sync receivers of each request's start and end, in a thread that it
    keeps for the request's life: one thread a waiting client (docs/adr/0011-asgi-routing.md).
    """

    def __init__(self, urlconf: str) -> None:
        super().__init__()
        self.urlconf = urlconf

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer one request, which has no body."""
        await self.send_response(await self._response(scope), send)

    async def _response(self, scope: Scope) -> HttpResponseBase:
        request, refusal = self.create_request(scope, BytesIO())
        if request is None:
            return refusal or HttpResponseBadRequest()
        request.urlconf = self.urlconf
        return await self.run_get_response(request)


class WaitingHandler(PollingHandler):
    """The same while the client is there: one that leaves ends its view."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            async with asyncio.TaskGroup() as tasks:
                leaving = tasks.create_task(_until_the_client_leaves(receive))
                await super().__call__(scope, receive, send)
                leaving.cancel()
        except* RequestAborted:
            pass


async def _until_the_client_leaves(receive: Receive) -> None:
    """Return never.

    Raises:
        RequestAborted: the client has gone.
    """
    while (await receive())["type"] != "http.disconnect":
        pass
    raise RequestAborted
