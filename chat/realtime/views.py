"""Long-polls and event streams: async views, which wait for news without holding a thread."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from chat.api import auth, headers, query_params, renderers, responses
from chat.api.exception_handler import answer
from chat.conversation import tickets
from chat.domain.errors import MethodNotAllowed, ParleyError
from chat.realtime import close_codes, event_stream, session_events

View = Callable[[ASGIRequest, str], Awaitable[HttpResponseBase]]


def answering_errors(view: View) -> View:
    """Answer Parley's errors as REST does."""

    @wraps(view)
    async def answered(request: ASGIRequest, session_id: str) -> HttpResponseBase:
        try:
            return await view(request, session_id)
        except ParleyError as error:
            return answer(error, request)

    return answered


@answering_errors
async def session(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Read the session as soon as it has changed, or after `wait` seconds."""
    caller = auth.owner(request.META, session_id)
    query = query_params.snapshot(request.GET)
    known = headers.known_seq(request.META, query.after, query.limit)
    snapshot = await session_events.changed(
        caller, known=known, after=query.after, limit=query.limit, wait=query.wait
    )
    if snapshot is None:
        return responses.unchanged(known, query.after, query.limit)
    if headers.knows_any(request.META):
        return responses.unchanged(snapshot.seq, query.after, query.limit)
    return responses.tagged(renderers.snapshot(snapshot), snapshot.seq, query.after, query.limit)


@answering_errors
async def events(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Stream what happens in the session after a cursor."""
    if request.method != "GET":
        refused = answer(MethodNotAllowed(), request)
        refused.headers["Allow"] = "GET"
        return refused
    query = query_params.follow(request.GET)
    after = headers.last_event_id(request.META, query.after)
    if query.ticket:
        caller = await asyncio.to_thread(tickets.redeem, session_id, query.ticket)
    else:
        caller = auth.owner(request.META, session_id)
    await session_events.check(caller)
    return await event_stream.EventStream.begin(
        caller, after, close_codes.hang_up_of(request.scope)
    )
