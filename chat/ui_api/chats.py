"""Chats: submit, regenerate, resume and stop their turns, and list their messages."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import orjson

from chat.conversation import files, messages, sessions, tokens, turns
from chat.domain import WHOLE_CONTEXT, Caller, Principal, Status, TurnExtras
from chat.domain.errors import (
    IdempotencyMismatch,
    NotEditable,
    NotRegenerable,
    ParleyError,
    SessionNotFound,
)
from chat.domain.ids import MESSAGE_ID, message_number
from chat.protocols.senders import Sender, admit, open_session, read_model, with_model
from chat.protocols.turn import Turn, events, find_start, heartbeat_interval
from chat.realtime.close_codes import Abort
from chat.realtime.event_stream import HEARTBEAT
from chat.settings import chat_settings
from chat.store.calls import Steps, gather, store_call
from chat.ui_api.chat_request import ChatRequest
from chat.ui_api.ui_chunks import UIChunks, error_chunks
from chat.ui_api.ui_messages import to_ui_messages


class Chat(NamedTuple):
    """A chat as its session."""

    caller: Caller
    # From which the id of the session is derived; "" if the chat's id is that of a session.
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTurn:
    """The last turn of a session."""

    reply: Mapping[str, Any]
    # Ids of its user message: Parley's, and the client's.
    ids: Sequence[str]
    text: str
    # As stored; none if the message has only text.
    parts: Sequence[Mapping[str, Any]]


def find(sender: Sender, chat_id: str) -> Chat:
    """Return the chat with this id, whose session may not exist.

    Raises:
        SessionNotFound: the sender has the token of another session.
    """
    identity = sender.identity
    if not isinstance(identity, Principal) or tokens.SESSION_ID.fullmatch(chat_id):
        return Chat(sender.caller_of(chat_id), "")
    key = f"ui {chat_id}"
    return Chat(sender.caller_of(sessions.derive_id(identity, key)), key)


def start(request: ChatRequest, sender: Sender) -> Steps[Turn]:
    """Accept the turn of a request, or return the one that the request repeats.

    Raises:
        NotRegenerable, NotEditable: the message is not part of the last turn.
        IdempotencyMismatch: another message of the chat has this id.
        as `sessions.create_session` and `turns.submit`
    """
    chat = find(sender, request.chat_id)
    try:
        return (yield from _start(request, chat.caller, sender.request_id))
    except SessionNotFound:
        if not chat.key:
            raise
    yield from admit(sender)
    first = partial(_start, request, request_id=sender.request_id, is_new=True)
    try:
        caller, turn = yield from open_session(
            sender, first, key=chat.key, model=request.model, context=WHOLE_CONTEXT
        )
    except IdempotencyMismatch:  # another request has opened it with another model
        return (yield from _start(request, chat.caller, sender.request_id))
    return replace(turn, caller=caller)


def _start(
    request: ChatRequest, caller: Caller, request_id: str, *, is_new: bool = False
) -> Steps[Turn]:
    """Accept the turn; is_new: the session was created with the request's model."""
    accepting = _accept(request, caller, request_id)
    if is_new:
        return (yield from accepting)
    model = yield from read_model(caller, request.model)
    return (yield from with_model(caller, model, request.model, accepting))


def _accept(request: ChatRequest, caller: Caller, request_id: str) -> Steps[Turn]:
    if not request.is_regeneration and not request.target:
        return (yield from _submit(request, caller, request_id))
    last = yield from _last_turn(caller)
    if request.is_regeneration:
        return (yield from _regenerate(request, caller, request_id, last))
    if last is None or request.message_id not in last.ids:
        return (yield from _submit_lost(request, caller, request_id, last))
    if (yield from _is_same(request, caller, last)):
        return Turn(caller=caller, reply=last.reply, params={})
    replaced: str = last.reply["reply_to"]
    return (yield from _submit(request, caller, request_id, replaces=replaced))


def _regenerate(
    request: ChatRequest, caller: Caller, request_id: str, last: LastTurn | None
) -> Steps[Turn]:
    """Accept another reply to the last user message, or return its reply that is open."""
    target = _own_id(request.target) or _own_id(request.message_id)
    if not target and last is not None and request.message_id in last.ids:
        target = last.ids[0]  # the same if the request is repeated
    if not target:
        return (yield from _submit_lost(request, caller, request_id, last))
    accepted = yield from turns.regenerate.steps(
        caller=caller,
        message_id=target,
        options=request.options,
        key=request.key,
        request_id=request_id,
    )
    return Turn.from_accepted(caller, accepted, {})


def _submit_lost(
    request: ChatRequest, caller: Caller, request_id: str, last: LastTurn | None
) -> Steps[Turn]:
    """Accept a message that the client takes for sent, and whose request was lost.

    Raises:
        NotRegenerable, NotEditable: it was accepted earlier, and is not part of the last turn.
    """
    error = NotRegenerable if request.is_regeneration else NotEditable
    if _own_id(request.message_id):
        raise error
    try:
        turn = yield from _submit(request, caller, request_id)
    except IdempotencyMismatch as mismatch:
        raise error from mismatch
    if last is not None and turn.number <= message_number(last.reply["id"]):
        raise error
    return turn


def _own_id(text: str) -> str:
    return text if MESSAGE_ID.fullmatch(text) else ""


def _submit(
    request: ChatRequest, caller: Caller, request_id: str, *, replaces: str | None = None
) -> Steps[Turn]:
    key = f"{request.message_id} replaces {replaces}" if replaces else request.message_id
    parts = yield from files.store_parts.steps(caller, request.parts)
    accepted = yield from turns.submit.steps(
        caller=caller,
        content=request.text,
        parts=parts,
        replaces=replaces,
        options=request.options,
        key=key,
        request_id=request_id,
        extras=TurnExtras(params=orjson.dumps({"ui_message": request.message_id})),
    )
    return Turn.from_accepted(caller, accepted, {})


def _last_turn(caller: Caller) -> Steps[LastTurn | None]:
    """Return the last turn; `None` for an empty session."""
    reply = yield from _last_reply.steps(caller)
    if reply is None:
        return None
    number = message_number(reply["reply_to"])
    # The params are those of the first reply to a message.
    (message, _), (_, params) = yield from gather(
        messages.get_reply.steps(caller, number), messages.get_reply.steps(caller, number + 1)
    )
    ids = [message["id"], *filter(None, [(params or {}).get("ui_message")])]
    return LastTurn(reply=reply, ids=ids, text=message["content"], parts=message.get("parts", ()))


def _is_same(request: ChatRequest, caller: Caller, last: LastTurn) -> Steps[bool]:
    """Return whether a request has the message of the last turn."""
    if last.text != request.text:
        return False
    parts = yield from files.store_parts.steps(caller, request.parts)
    own = yield from files.check_parts.steps(caller, parts)
    return [part.to_json() for part in own] == list(last.parts)


@store_call
def _last_reply(caller: Caller) -> Steps[Mapping[str, Any] | None]:
    newest = (yield from sessions.read.steps(caller, limit=1)).messages
    return orjson.loads(newest[-1]) if newest else None


def resume(sender: Sender, chat_id: str) -> Turn | None:
    """Return the last turn if it has not ended.

    Raises:
        SessionNotFound: there is no such session, and the id has the form of one.
        SessionExpired, StoreUnavailable
    """
    chat = find(sender, chat_id)
    try:
        reply = _last_reply(chat.caller)
    except SessionNotFound:
        if not chat.key:
            raise
        return None
    if reply is None or Status(reply["status"]).is_terminal:
        return None
    return Turn(caller=chat.caller, reply=reply, params={})


def stop(sender: Sender, chat_id: str) -> list[str]:
    """Cancel all open turns; return the ids of their replies.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = find(sender, chat_id).caller
    newest = sessions.read(caller, limit=chat_settings.MAX_PAGE_LIMIT).messages
    found = [orjson.loads(each) for each in newest]
    open_ids = [each["id"] for each in found if not Status(each["status"]).is_terminal]
    # The newest first, so that no queued turn starts.
    for message_id in reversed(open_ids):
        turns.cancel(caller=caller, message_id=message_id)
    return open_ids


def list_messages(
    sender: Sender, chat_id: str, *, before: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return the newest messages, or those before a message, the oldest first.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = find(sender, chat_id).caller
    page = messages.list_messages(caller, before=before, after=None, limit=limit, newest_first=True)
    found = [orjson.loads(each) for each in reversed(page.messages)]
    return to_ui_messages(caller.session_id, found, is_newest=before is None)


async def stream(turn: Turn, abort: Abort, *, can_reset: bool) -> AsyncGenerator[bytes]:
    """Yield b"" once the session is subscribed, and then the chunks of a reply.

    can_reset: whether the client knows `reset-step`.

    Raises:
        ParleyError: before anything is yielded; later ones are chunks.
    """
    started = turn if turn.queued_at else replace(turn, queued_at=await find_start(turn))
    chunks = UIChunks(turn.reply, can_reset=can_reset)
    received = events(started, abort=abort, heartbeat_interval=heartbeat_interval())
    async with aclosing(received):
        await anext(received)
        yield b""
        try:
            async for event in received:
                if translated := HEARTBEAT if event is None else chunks.translate(event):
                    yield translated
        except ParleyError as error:
            yield error_chunks(error.message)
