"""Long-polls and event streams: async views, which wait for news without holding a thread."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from chat.api import answers, auth, headers, queries, shapes
from chat.api.exception_handler import answer
from chat.errors import MethodNotAllowed, ParleyError
from chat.push import closing, sse
from chat.services import streams, tickets

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
    query = queries.snapshot(request.GET)
    known = headers.known_seq(request.META, query.after, query.limit)
    snapshot = await streams.changed(
        caller, known=known, after=query.after, limit=query.limit, wait=query.wait
    )
    if snapshot is None:
        return answers.unchanged(known, query.after, query.limit)
    if headers.knows_any(request.META):
        return answers.unchanged(snapshot.seq, query.after, query.limit)
    return answers.tagged(shapes.snapshot(snapshot), snapshot.seq, query.after, query.limit)


@answering_errors
async def events(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Stream what happens in the session after a cursor."""
    if request.method != "GET":
        refused = answer(MethodNotAllowed(), request)
        refused.headers["Allow"] = "GET"
        return refused
    query = queries.follow(request.GET)
    after = headers.last_event_id(request.META, query.after)
    if query.ticket:
        caller = await asyncio.to_thread(tickets.spend, session_id, query.ticket)
    else:
        caller = auth.owner(request.META, session_id)
    await streams.check(caller)
    return await sse.EventStream.begin(caller, after, closing.hang_up_of(request.scope))
