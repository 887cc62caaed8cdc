"""Responses: retrieve, cancel, delete and stream them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from chat.api.exception_handler import error_body
from chat.conversation import messages, sessions, turns
from chat.domain import Status
from chat.domain.errors import (
    Conflict,
    MessageNotFound,
    NotFound,
    ParleyError,
    SessionExpired,
    SessionNotFound,
)
from chat.domain.ids import message_number
from chat.openai_api import item_pages
from chat.openai_api.ids import MessageRef
from chat.openai_api.item_pages import MessageRange
from chat.openai_api.pages import PageQuery
from chat.openai_api.response_events import ResponseEvents
from chat.openai_api.response_object import to_response
from chat.protocols.senders import Sender
from chat.protocols.turn import Turn, events, heartbeat_interval
from chat.realtime.close_codes import Abort
from chat.settings import chat_settings
from chat.store.calls import Steps, store_call

HEARTBEAT = b":\n\n"


@store_call
def retrieve(sender: Sender, ref: MessageRef) -> Steps[Turn]:
    """Return the current state of a turn.

    Raises:
        NotFound: there is no such response.
        StoreUnavailable
    """
    try:
        caller = sender.caller_of(ref.session_id)
        reply, params = yield from messages.get_reply.steps(caller, ref.number)
    except (SessionNotFound, SessionExpired, MessageNotFound) as error:
        raise NotFound("Response not found.") from error
    if params is None:
        raise NotFound("Response not found.")
    return Turn(caller=caller, reply=reply, params=params)


def cancel(sender: Sender, ref: MessageRef) -> Turn:
    """Cancel the turn of a response; return what it was.

    Raises:
        NotFound, StoreUnavailable
    """
    turn = retrieve(sender, ref)
    if not Status(turn.reply["status"]).is_terminal:
        turns.cancel(caller=turn.caller, message_id=turn.reply_id)
    return turn


def delete(sender: Sender, ref: MessageRef) -> None:
    """Delete a response: its session, if it has no other turn.

    Otherwise the texts of the turn are erased, unless they belong to a conversation.

    Raises:
        NotFound: there is no such response.
        Conflict: it has not ended, and its session has other turns.
        StoreUnavailable
    """
    turn = retrieve(sender, ref)
    is_of_conversation = "conversation" in turn.params or bool(sender.own_session)
    if not is_of_conversation and _is_only_turn(turn):
        sessions.delete(turn.caller)
        return
    if not Status(turn.reply["status"]).is_terminal:
        raise Conflict("The response has not ended: cancel it first.")
    if not is_of_conversation:
        _erase(turn)
    messages.hide_reply(turn.caller, turn.number)


def _erase(turn: Turn) -> None:
    """Erase the texts of a turn's input and reply."""
    stored = item_pages.iterate_messages(
        turn.caller,
        _input_range(turn),
        newest_first=True,
        page_size=chat_settings.MAX_PAGE_LIMIT,
    )
    for message in stored:
        if message["content"] or "parts" in message:
            messages.erase(turn.caller, message_number(message["id"]))
    messages.erase(turn.caller, turn.number)


def list_input(turn: Turn, query: PageQuery) -> dict[str, Any]:
    """Return a page of the input items of a response as JSON.

    Raises:
        NotFound: there is no such item as the query's `after`.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    return item_pages.list_items(turn.caller, query, _input_range(turn))


def _input_range(turn: Turn) -> MessageRange:
    """Return the user message of a turn, and those that its request had before it."""
    last = message_number(turn.reply["reply_to"])
    return MessageRange(first=last - turn.params.get("history", 0), last=last)


async def stream(turn: Turn, abort: Abort, *, starting_after: int = -1) -> AsyncGenerator[bytes]:
    """Yield b"" once the session is subscribed, and then the chunks of a response's stream.

    Raises:
        ParleyError: before anything is yielded; later ones are chunks.
    """
    translator = ResponseEvents(
        turn.session_id, turn.reply, turn.params, starting_after=starting_after
    )
    received = events(turn, abort=abort, heartbeat_interval=heartbeat_interval())
    async with aclosing(received):
        await anext(received)
        yield b""
        try:
            async for event in received:
                chunks = HEARTBEAT if event is None else translator.translate(event)
                if chunks:
                    yield chunks
        except ParleyError as error:
            yield _error_chunk(error)


def _error_chunk(error: ParleyError) -> bytes:
    body = error_body(error, "")["error"]
    members = {"type": "error", "code": error.code, "message": error.message, "param": None}
    # The Python SDK reads `error`, the others read the members.
    return b"event: error\ndata: %b\n\n" % orjson.dumps(
        {**members, "sequence_number": 0, "error": body}
    )


def _is_only_turn(turn: Turn) -> bool:
    """Return whether the session has no other messages than those of the turn and its history."""
    session = sessions.read(turn.caller, limit=1)
    newest = orjson.loads(session.messages[-1])["id"] if session.messages else ""
    length = turn.params.get("history", 0)
    return newest == turn.reply_id and turn.number == length + 2


def to_json(turn: Turn, reply: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the response of a turn; reply: its current state, if it has changed."""
    return to_response(turn.session_id, reply or turn.reply, turn.params)
