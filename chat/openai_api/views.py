"""Async views of the OpenAI-compatible API.

Creating a response or chat completion takes no thread, unless its request is large. Other store
calls run in threads. Waiting takes none.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import orjson
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chat.api.exception_handler import error_body
from chat.api.responses import get_request_id
from chat.conversation import llms, policies
from chat.conversation.repeats import Attachment
from chat.conversation.turns import accepts_turn
from chat.domain.errors import NotFound, ParleyError
from chat.openai_api import chat_completions, conversations, ids, pages, response_turns, responses
from chat.openai_api.chat_chunks import ChatChunks, failure, to_completion
from chat.openai_api.chat_request import ChatRequest, parse_chat_request
from chat.openai_api.response_request import ResponseRequest, parse_response_request
from chat.protocols.queries import check_names, read_boolean, read_integer
from chat.protocols.requests import (
    attach,
    execute,
    get_abort,
    identify,
    in_thread,
    is_retry,
    json_response,
    receive,
)
from chat.protocols.senders import Sender
from chat.protocols.turn import ReplyFailed, Turn, find_start, wait_for_end
from chat.realtime.event_stream import EventStream
from chat.store.calls import Steps, run

R = TypeVar("R")

TOO_LATE = {"code": "deadline_exceeded", "message": "The reply did not end in time."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Generic[R]):
    """A request whose turn was accepted."""

    request: R
    turn: Turn

    @property
    def session_id(self) -> str:
        return self.turn.session_id

    @property
    def needs_wake(self) -> bool:
        return self.turn.needs_wake


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedChat(Started[ChatRequest]):
    attachment: Attachment

    def cancel(self) -> None:
        chat_completions.cancel_later(self.turn, self.attachment)


async def create_chat_completion(request: HttpRequest) -> HttpResponseBase:
    started = await execute(_start_chat, request, abandon=StartedChat.cancel)
    chat, turn, attachment = started.request, started.turn, started.attachment
    model = turn.reply["model"] or llms.name_or_default(chat.model)
    if not chat.is_stream:
        return await _wait_for_completion(turn, attachment, model)
    chunks = ChatChunks(
        turn.session_id, model, int(turn.reply["created_at"]), has_usage=chat.has_usage_chunk
    )
    content = chat_completions.stream(turn, chunks, attachment, get_abort(request))
    # A failure before the first text has its own status.
    first = await anext(content)
    return EventStream(_with_error_chunk(first, content, get_request_id(request)))


@accepts_turn
def _start_chat(request: HttpRequest) -> Steps[StartedChat]:
    sender, raw, body = yield from receive.steps(request, may_name_user=True)
    chat = parse_chat_request(body)
    turn, attachment = yield from chat_completions.start(chat, sender, attach(request, sender, raw))
    return StartedChat(request=chat, turn=turn, attachment=attachment)


async def _wait_for_completion(turn: Turn, attachment: Attachment, model: str) -> HttpResponseBase:
    try:
        reply = await wait_for_end(turn)
    except asyncio.CancelledError:
        chat_completions.cancel_later(turn, attachment)
        raise
    if chat_completions.is_open(reply):
        chat_completions.cancel_later(turn, attachment)
        raise ReplyFailed(TOO_LATE)
    if error := failure(reply):
        raise ReplyFailed(error)
    return json_response(to_completion(turn.session_id, reply, model))


async def _with_error_chunk(
    first: bytes, content: AsyncGenerator[bytes], request_id: str
) -> AsyncGenerator[bytes]:
    """Yield the first chunk and the others; an error is the last one."""
    async with aclosing(content):
        yield first
        try:
            async for chunk in content:
                yield chunk
        except ParleyError as error:
            body = {"error": error_body(error, request_id)["error"]}
            yield b"data: %b\n\n" % orjson.dumps(body)


async def create_response(request: HttpRequest) -> HttpResponseBase:
    started = await execute(_start_response, request)
    wanted, turn = started.request, started.turn
    if wanted.is_stream:
        return await _stream(turn, request)
    if wanted.is_background:
        return json_response(responses.to_json(turn))
    return json_response(responses.to_json(turn, await wait_for_end(turn)))


@accepts_turn
def _start_response(request: HttpRequest) -> Steps[Started[ResponseRequest]]:
    sender, raw, body = yield from receive.steps(request, may_name_user=True)
    wanted = parse_response_request(body)
    turn = yield from response_turns.start(wanted, sender, attach(request, sender, raw))
    return Started(request=wanted, turn=turn)


async def get_response(request: HttpRequest, response_id: str) -> HttpResponseBase:
    names = ("include", "include[]", "stream", "starting_after", "include_obfuscation")
    check_names(request.GET, *names)
    starting_after = read_integer(request.GET, "starting_after", -1)
    turn = await asyncio.to_thread(_retrieve, request, response_id)
    if not read_boolean(request.GET, "stream"):
        return json_response(responses.to_json(turn))
    started = replace(turn, queued_at=await find_start(turn))
    return await _stream(started, request, starting_after)


async def _stream(turn: Turn, request: HttpRequest, starting_after: int = -1) -> HttpResponseBase:
    content = responses.stream(turn, get_abort(request), starting_after=starting_after)
    await anext(content)
    return EventStream(content)


def _retrieve(request: HttpRequest, response_id: str) -> Turn:
    return responses.retrieve(identify(request), ids.parse_response(response_id))


@in_thread
def delete_response(request: HttpRequest, response_id: str) -> HttpResponseBase:
    _delete(request, identify(request), responses.delete, ids.parse_response(response_id))
    return json_response({"id": response_id, "object": "response", "deleted": True})


async def cancel_response(request: HttpRequest, response_id: str) -> HttpResponseBase:
    """Cancel a response, and return it once it has ended."""
    turn = await asyncio.to_thread(_cancel, request, response_id)
    if chat_completions.is_open(turn.reply):
        started = replace(turn, queued_at=await find_start(turn))
        turn = replace(turn, reply=await wait_for_end(started))
    return json_response(responses.to_json(turn))


def _cancel(request: HttpRequest, response_id: str) -> Turn:
    sender, *_ = receive(request)
    return responses.cancel(sender, ids.parse_response(response_id))


@in_thread
def list_input_items(request: HttpRequest, response_id: str) -> HttpResponseBase:
    query = pages.PageQuery.parse(request.GET)
    turn = _retrieve(request, response_id)
    return json_response(responses.list_input(turn, query))


@in_thread
def create_conversation(request: HttpRequest) -> HttpResponseBase:
    sender, raw, body = receive(request)
    return json_response(run(conversations.create(sender, body, attach(request, sender, raw))))


@in_thread
def get_conversation(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    _, session = conversations.find(identify(request), conversation_id)
    return json_response(conversations.to_conversation(session))


@in_thread
def update_conversation(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    sender, _, body = receive(request)
    return json_response(conversations.update(sender, conversation_id, body))


@in_thread
def delete_conversation(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    _delete(request, identify(request), conversations.delete, conversation_id)
    body = {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
    return json_response(body)


@in_thread
def list_items(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    query = pages.PageQuery.parse(request.GET)
    return json_response(conversations.list_items(identify(request), conversation_id, query))


@in_thread
def create_items(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    sender, raw, body = receive(request)
    attaching = attach(request, sender, raw)
    found = conversations.add_items(sender, conversation_id, body, attaching)
    return json_response(pages.to_list(found, has_more=False))


@in_thread
def get_item(request: HttpRequest, conversation_id: str, item_id: str) -> HttpResponseBase:
    sender = identify(request)
    return json_response(conversations.get_item(sender, conversation_id, item_id))


@in_thread
def delete_item(request: HttpRequest, conversation_id: str, item_id: str) -> HttpResponseBase:
    sender = identify(request)
    _delete(request, sender, conversations.delete_item, conversation_id, item_id)
    _, session = conversations.find(sender, conversation_id)
    return json_response(conversations.to_conversation(session))


def _delete(
    request: HttpRequest, sender: Sender, delete: Callable[..., None], *args: object
) -> None:
    """Delete something. If an SDK repeats the request, it may be gone already."""
    try:
        delete(sender, *args)
    except NotFound:
        if not is_retry(request):
            raise


@in_thread
def list_models(request: HttpRequest) -> HttpResponseBase:
    models = policies.usable_models(identify(request).identity)
    return json_response({"object": "list", "data": [_model(each.name) for each in models]})


@in_thread
def get_model(request: HttpRequest, model: str) -> HttpResponseBase:
    usable = policies.usable_models(identify(request).identity)
    if model not in {each.name for each in usable}:
        raise NotFound("There is no such model.", param="model")
    return json_response(_model(model))


def _model(name: str) -> dict[str, object]:
    """Return a model; when it was configured is not known."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "parley"}
