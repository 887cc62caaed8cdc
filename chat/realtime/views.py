"""Long-polls and event streams: async views, which wait for news without holding a thread."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from chat.api import auth, headers, query_params, renderers, responses
from chat.api.exception_handler import error_response
from chat.conversation import tickets
from chat.domain.errors import MethodNotAllowed, ParleyError
from chat.realtime import close_codes, event_stream, session_events

View = Callable[[ASGIRequest, str], Awaitable[HttpResponseBase]]


def handle_errors(view: View) -> View:
    """Answer Parley's errors as REST does."""

    @wraps(view)
    async def answered(request: ASGIRequest, session_id: str) -> HttpResponseBase:
        try:
            return await view(request, session_id)
        except ParleyError as error:
            return error_response(error, request)

    return answered


@handle_errors
async def session(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Read the session as soon as it has changed, or after `wait` seconds."""
    caller = auth.session_caller(request.META, session_id)
    query = query_params.snapshot_query(request.GET)
    known = headers.known_seq(request.META, query.after, query.limit)
    snapshot = await session_events.wait_for_change(
        caller, known=known, after=query.after, limit=query.limit, wait=query.wait
    )
    if snapshot is None:
        return responses.not_modified(known, query.after, query.limit)
    if headers.has_if_none_match_any(request.META):
        return responses.not_modified(snapshot.seq, query.after, query.limit)
    return responses.json_with_etag(
        renderers.render_session(snapshot), snapshot.seq, query.after, query.limit
    )


@handle_errors
async def events(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Stream what happens in the session after a cursor."""
    if request.method != "GET":
        refused = error_response(MethodNotAllowed(), request)
        refused.headers["Allow"] = "GET"
        return refused
    query = query_params.subscribe_query(request.GET)
    after = headers.last_event_id(request.META, query.after)
    if query.ticket:
        caller = await asyncio.to_thread(tickets.redeem, session_id, query.ticket)
    else:
        caller = auth.session_caller(request.META, session_id)
    await session_events.check(caller)
    return await event_stream.EventStream.open(caller, after, close_codes.get_abort(request.scope))
