"""Async views of long-polls and event streams, which wait for events without using a thread."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from chat.accounts import read_limits
from chat.accounts.client_ip import client_address
from chat.api import auth, headers, query_params
from chat.api.exception_handler import error_response
from chat.api.middleware import mark_as_api
from chat.api.polling import PollRequest
from chat.conversation import tickets
from chat.domain import Caller
from chat.domain.errors import MethodNotAllowed, ParleyError
from chat.realtime import close_codes, event_stream, session_events

View = Callable[[ASGIRequest, str], Awaitable[HttpResponseBase]]


def api_view(view: View) -> View:
    """Accept GET only, and return error responses as the REST views do."""

    @wraps(view)
    async def wrapper(request: ASGIRequest, session_id: str) -> HttpResponseBase:
        try:
            if request.method != "GET":
                raise MethodNotAllowed
            return await view(request, session_id)
        except ParleyError as error:
            response = error_response(error, request)
            if isinstance(error, MethodNotAllowed):
                response.headers["Allow"] = "GET"
            return response

    return mark_as_api(wrapper)


@api_view
async def session(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Return the session as soon as it has changed, or after `wait` seconds."""
    caller = _with_address(await auth.authenticate_session_async(request.META, session_id), request)
    poll = PollRequest.parse(request)
    read_limits.check_read(caller, request.META)
    snapshot = await session_events.wait_for_change(
        caller, known=poll.known, after=poll.after, limit=poll.limit, wait=poll.wait
    )
    return poll.response(snapshot)


@api_view
async def events(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Stream the session's events after a cursor."""
    query = query_params.subscribe_query(request.GET)
    after = headers.last_event_id(request.META, query.after)
    if query.ticket:
        caller = await asyncio.to_thread(tickets.redeem, session_id, query.ticket)
    else:
        caller = await auth.authenticate_session_async(request.META, session_id)
    caller = _with_address(caller, request)
    read_limits.check_read(caller, request.META)
    await session_events.check_can_subscribe(caller)
    return await event_stream.EventStream.open(caller, after, close_codes.get_abort(request.scope))


def _with_address(caller: Caller, request: ASGIRequest) -> Caller:
    """Return the caller with the client's address, so that a ban closes its subscription."""
    return replace(caller, address=client_address(request.META))
