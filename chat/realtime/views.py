"""Async views of messages, polls, event streams and health checks.

They use no thread, except `ready`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial, wraps
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ValidationError

from chat.accounts import read_limits
from chat.accounts.client_ip import client_address
from chat.api import auth, headers, probes, query_params, responses
from chat.api.exception_handler import error_response, to_parley_error
from chat.api.middleware import mark_as_api
from chat.api.parsers import BODY, read_body
from chat.api.polling import PollRequest
from chat.api.strict_json import read_object
from chat.api.submission import accepted_response, submit_arguments
from chat.api.views.service import OK
from chat.conversation import tickets, turns
from chat.domain import Caller
from chat.domain.errors import MethodNotAllowed, ParleyError
from chat.operations import health
from chat.realtime import close_codes, event_stream, long_poll, session_events

View = Callable[..., Awaitable[HttpResponseBase]]


def api_view(*methods: str) -> Callable[[View], View]:
    """Accept these methods only, and return error responses as the REST views do."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(request: ASGIRequest, **ids: str) -> HttpResponseBase:
            try:
                if request.method not in methods:
                    raise MethodNotAllowed
                return await view(request, **ids)
            except (ParleyError, ValidationError) as exception:
                error = to_parley_error(exception)
                if error is None:
                    raise
                response = error_response(error, request)
                if isinstance(error, MethodNotAllowed):
                    response.headers["Allow"] = ", ".join(methods)
                return response

        return mark_as_api(wrapper)

    return decorate


@api_view("POST")
async def post_message(request: ASGIRequest, session_id: str = "") -> HttpResponseBase:
    """Submit the message of a small body."""
    sender = await auth.authenticate_on_loop(request.META)
    if session_id:
        sender = auth.caller_of(sender, session_id)
    body = partial(_read_body, request)
    arguments = submit_arguments(request, sender, body, session_id)
    return accepted_response(await turns.submit.on_loop(**arguments))


def _read_body(request: ASGIRequest) -> dict[str, Any]:
    return read_object(read_body(request.META.pop(BODY), request.META))


@api_view("GET")
async def session(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Return the session as soon as it has changed, or after `wait` seconds."""
    caller = auth.caller_of(await auth.authenticate_on_loop(request.META), session_id)
    caller = _with_address(caller, request)
    poll = PollRequest.parse(request)
    read_limits.check_read(caller, request.META)
    snapshot = await long_poll.wait_for_change(
        caller, known=poll.known, after=poll.after, limit=poll.limit, wait=poll.wait
    )
    return poll.response(snapshot)


@api_view("GET")
async def events(request: ASGIRequest, session_id: str) -> HttpResponseBase:
    """Stream the session's events after a cursor."""
    query = query_params.subscribe_query(request.GET)
    after = headers.last_event_id(request.META, query.after)
    if query.ticket:
        read_limits.check_address(client_address(request.META))
        caller = await asyncio.to_thread(tickets.redeem, session_id, query.ticket)
    else:
        caller = auth.caller_of(await auth.authenticate_on_loop(request.META), session_id)
    caller = _with_address(caller, request)
    read_limits.check_read(caller, request.META)
    await session_events.check_can_subscribe(caller)
    return await event_stream.EventStream.open(caller, after, close_codes.get_abort(request.scope))


@api_view(*probes.METHODS)
async def live(_: ASGIRequest) -> HttpResponseBase:
    """Respond, whether Redis is available or not, and while it blocks all threads."""
    return responses.json(OK)


@api_view(*probes.METHODS)
async def ready(_: ASGIRequest) -> HttpResponseBase:
    """Check that Redis is available, also on the event loop's own connection."""
    await health.ping_on_loop()
    return responses.json(OK)


def _with_address(caller: Caller, request: ASGIRequest) -> Caller:
    """Return the caller with the client's address, so that a ban closes its subscription."""
    return replace(caller, address=client_address(request.META))
