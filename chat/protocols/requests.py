"""The frame of all views: methods, bodies, errors and senders."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial, wraps
from typing import Any, NamedTuple, TypeVar

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from chat.api import auth, headers, responses
from chat.api.exception_handler import error_response
from chat.api.middleware import mark_as_api
from chat.api.parsers import BODY, BODY_ERROR, read_body
from chat.api.strict_json import read_object
from chat.conversation import repeats
from chat.conversation.repeats import Attachment
from chat.domain.errors import MethodNotAllowed, ParleyError
from chat.protocols.senders import Sender, authenticate, no_user
from chat.protocols.turn import ReplyFailed
from chat.realtime import close_codes
from chat.realtime.close_codes import Abort
from chat.store.calls import Steps, StoreCall, store_call

View = Callable[..., Awaitable[HttpResponseBase]]
T = TypeVar("T")
# Members of a request that name its user, by preference.
USER_FIELDS = ("safety_identifier", "user")
# Larger bodies are read in a thread. As those of `POST /messages`.
MAX_LOOP_BYTES = 8 * 1024


def api_view(**views: View) -> View:
    """Return a view that calls one of the views, by method, and returns errors as responses."""

    async def view(request: HttpRequest, **ids: str) -> HttpResponseBase:
        try:
            chosen = views.get((request.method or "").lower())
            if chosen is None:
                raise MethodNotAllowed
            return await chosen(request, **ids)
        except ReplyFailed as error:
            response = error_response(error, request, error.status)
            # The turn was tried several times already.
            response.headers["x-should-retry"] = "false"
            return response
        except ParleyError as error:
            response = error_response(error, request)
            if isinstance(error, MethodNotAllowed):
                response.headers["Allow"] = ", ".join(views).upper()
            return response

    return mark_as_api(view)


def json_response(body: object, status: int = 200) -> HttpResponse:
    return responses.json(orjson.dumps(body), status)


def _read_json(request: HttpRequest) -> tuple[bytes, Mapping[str, Any]]:
    """Return the request's body, and the JSON object in it; an empty body is an empty object.

    Raises:
        InvalidRequest, UnsupportedMediaType, BodyTooLarge, RequestTimeout
    """
    stream = request.META.pop(BODY, None)
    # OpenAI's SDK for Node sends empty bodies without a type.
    if stream is None or (request.META["CONTENT_LENGTH"] == "0" and BODY_ERROR not in request.META):
        return b"", {}
    raw = read_body(stream, request.META)
    return raw, read_object(raw) if raw else {}


class Received(NamedTuple):
    """A request with a body."""

    sender: Sender
    raw: bytes
    # The JSON object in it.
    body: Mapping[str, Any]


@store_call
def receive(request: HttpRequest, *, may_name_user: bool = False) -> Steps[Received]:
    """Identify and count the sender, and then parse the body.

    may_name_user: whether the body may name the user whom an API key acts for.

    Raises:
        as `identify`
        InvalidRequest, UnsupportedMediaType, BodyTooLarge, RequestTimeout: of the body
    """
    read = cache(partial(_read_json, request))

    def read_user() -> str | None:
        named = (read()[1].get(name) for name in USER_FIELDS)
        return next((value for value in named if isinstance(value, str)), None)

    request_id = responses.get_request_id(request)
    sender = yield from authenticate(
        request.META, request_id, read_user if may_name_user else no_user
    )
    return Received(sender, *read())


@store_call
def identify(request: HttpRequest) -> Steps[Sender]:
    """Return the sender of a request without a body.

    Raises:
        RateLimited: each request counts as a read.
        InvalidToken, SessionNotFound, SessionExpired, StoreUnavailable, IssuerUnavailable
    """
    return (yield from authenticate(request.META, responses.get_request_id(request)))


def attach(request: HttpRequest, sender: Sender, raw: bytes) -> Steps[Attachment]:
    """Attach a POST to the first one that is equal.

    Raises:
        InvalidRequest: the Idempotency-Key is not valid.
        StoreFull, StoreUnavailable
    """
    attachment = yield from repeats.attach.steps(
        sender.identity,
        request.path.encode() + raw,
        key=headers.idempotency_key(request.META),
        is_repeated=is_retry(request),
    )
    return attachment


def is_retry(request: HttpRequest) -> bool:
    """Return whether an SDK says that it has sent the request before."""
    return request.META.get("HTTP_X_STAINLESS_RETRY_COUNT", "0") not in {"", "0"}


def get_abort(request: HttpRequest) -> Abort:
    """Return the function that closes the connection of a request."""
    scope: Any = getattr(request, "scope", {})
    return close_codes.get_abort(scope)


async def execute(
    call: StoreCall[[HttpRequest], T],
    request: HttpRequest,
    *,
    abandon: Callable[[T], object] | None = None,
) -> T:
    """Execute a call on the event loop, or in a thread if it may block or take long.

    It is executed to its end even if the client disconnects. Then `abandon` gets its result, if it
    is set.
    """
    starting = asyncio.ensure_future(_execute(call, request))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(partial(_abandon_result, abandon))
        raise


async def _execute(call: StoreCall[[HttpRequest], T], request: HttpRequest) -> T:
    is_large = int(request.META.get("CONTENT_LENGTH") or 0) > MAX_LOOP_BYTES
    if is_large or auth.may_block(request.META):
        return await asyncio.to_thread(call, request)
    return await call.on_loop(request)


def _abandon_result(abandon: Callable[[T], object] | None, starting: asyncio.Future[T]) -> None:
    has_result = not starting.cancelled() and starting.exception() is None
    if has_result and abandon is not None:
        abandon(starting.result())


def in_thread(function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """Return a coroutine function that runs a function with I/O in a thread."""

    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return run
