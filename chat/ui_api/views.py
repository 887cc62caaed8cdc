"""Async views of the API for the AI SDK.

Creating a turn takes no thread, unless its request is large. Other store calls run in threads.
Waiting takes none.
"""

import asyncio

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from chat.api import headers
from chat.conversation.turns import accepts_turn
from chat.domain.errors import InvalidRequest
from chat.protocols.queries import check_names, read_integer
from chat.protocols.requests import (
    execute,
    get_abort,
    identify,
    in_thread,
    json_response,
    receive,
)
from chat.protocols.turn import Turn
from chat.realtime.event_stream import EventStream
from chat.settings import chat_settings
from chat.store.calls import Steps
from chat.ui_api import chats
from chat.ui_api.chat_request import parse_chat_request

# Versions of the SDK, and whether they know `reset-step`.
VERSIONS = {"5": False, "6": False, "7": True}


async def create_turn(request: HttpRequest) -> HttpResponseBase:
    can_reset = _can_reset(request)
    return await _stream(await execute(_start, request), request, can_reset=can_reset)


@accepts_turn
def _start(request: HttpRequest) -> Steps[Turn]:
    sender, _, body = yield from receive.steps(request)
    wanted = parse_chat_request(body, key=headers.idempotency_key(request.META))
    return (yield from chats.start(wanted, sender))


async def resume(request: HttpRequest, chat_id: str) -> HttpResponseBase:
    can_reset = _can_reset(request)
    turn = await asyncio.to_thread(_resume, request, chat_id)
    if turn is None:
        return HttpResponse(status=204)
    return await _stream(turn, request, can_reset=can_reset)


def _resume(request: HttpRequest, chat_id: str) -> Turn | None:
    return chats.resume(identify(request), chat_id)


async def _stream(turn: Turn, request: HttpRequest, *, can_reset: bool) -> HttpResponseBase:
    content = chats.stream(turn, get_abort(request), can_reset=can_reset)
    await anext(content)
    response = EventStream(content)
    response.headers["X-Vercel-AI-UI-Message-Stream"] = "v1"
    return response


@in_thread
def stop(request: HttpRequest, chat_id: str) -> HttpResponseBase:
    sender, *_ = receive(request)
    return json_response({"stopped": chats.stop(sender, chat_id)})


@in_thread
def list_messages(request: HttpRequest, chat_id: str) -> HttpResponseBase:
    check_names(request.GET, "before", "limit")
    most = chat_settings.MAX_PAGE_LIMIT
    limit = read_integer(request.GET, "limit", most)
    if not 1 <= limit <= most:
        raise InvalidRequest(f"`limit` must be from 1 to {most}.", param="limit")
    found = chats.list_messages(
        identify(request), chat_id, before=request.GET.get("before"), limit=limit
    )
    return json_response(found)


def _can_reset(request: HttpRequest) -> bool:
    check_names(request.GET, "ui")
    version = request.GET.get("ui", "5")
    if version not in VERSIONS:
        raise InvalidRequest(f"`ui` must be one of {', '.join(VERSIONS)}.", param="ui")
    return VERSIONS[version]
