"""Responses: create, retrieve, cancel and delete them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import orjson

from chat.api.exception_handler import error_body
from chat.conversation import files, history, messages, sessions, turns
from chat.conversation.copies import turn_to_copy
from chat.conversation.repeats import Attachment
from chat.domain import Accepted, Caller, Context, History, InputMessage, Role, Status, TurnExtras
from chat.domain.errors import (
    Conflict,
    InvalidRequest,
    MessageNotFound,
    NotAllowed,
    NotFound,
    NotLastTurn,
    ParleyError,
    SessionExpired,
    SessionNotFound,
)
from chat.domain.ids import message_number
from chat.openai_api import items
from chat.openai_api.content import check_inputs
from chat.openai_api.history import join_system, merge
from chat.openai_api.ids import MessageRef
from chat.openai_api.response_events import ResponseEvents
from chat.openai_api.response_object import to_response
from chat.openai_api.response_request import ResponseRequest
from chat.protocols.senders import Sender, admit, change_model, open_session, read_model
from chat.protocols.turn import Turn, events, heartbeat_interval
from chat.realtime.close_codes import Abort
from chat.settings import chat_settings
from chat.store.calls import Steps, joined, store_call

# Seconds that a session lives after the end of a response with `store` false.
UNSTORED_TTL = 300
HEARTBEAT = b":\n\n"
NO_ASSISTANT = "Replies can be part of `input` only if it starts a new conversation."


def start(request: ResponseRequest, sender: Sender, attaching: Steps[Attachment]) -> Steps[Turn]:
    """Accept the turn of a response.

    attaching: attaches the request to the first one that is equal.

    Raises:
        NotFound: there is no such conversation or response.
        InvalidRequest, as `sessions.create_session` and `turns.submit`
    """
    session_id = request.session_id or ("" if request.previous else sender.own_session)
    if session_id:
        caller = sender.caller_of(session_id)
        attachment, model = yield from joined(attaching, read_model(caller, request.model))
        return (yield from _append(request, caller, model, sender, attachment.key))
    if request.previous is not None:
        return (yield from _continue(request, request.previous, sender, attaching))
    check_inputs(request.earlier, request.model)
    check_inputs([request.message], request.model)
    attachment, _ = yield from joined(attaching, admit(sender))
    past = history.build(request.earlier)
    return (yield from _open(request, sender, attachment.key, past, request.system_text))


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
        for number in (turn.number, message_number(turn.reply["reply_to"])):
            messages.erase(turn.caller, number)
    messages.hide_reply(turn.caller, turn.number)


def list_input(turn: Turn) -> list[dict[str, Any]]:
    """Return the input items of a response, the oldest first.

    These are its user message and, if the session began with a history, that.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    first = turn.params.get("history", 0)
    number = message_number(turn.reply["reply_to"])
    page = messages.list_messages(
        turn.caller,
        before=f"msg_{number + 1}",
        after=None,
        limit=min(1 + first, chat_settings.MAX_PAGE_LIMIT),
        newest_first=False,
    )
    messages_ = map(orjson.loads, page.messages)
    return [item for each in messages_ for item in items.to_items(turn.session_id, each)]


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


def _open(
    request: ResponseRequest,
    sender: Sender,
    key: str,
    past: History,
    system_prompt: str,
) -> Steps[Turn]:
    """Accept the turn in a new session with a history."""
    # The history of a copy is not part of the input.
    length = 0 if request.previous else 2 * len(past.turns)
    params = _params(request, history_length=length)
    caller, accepted = yield from open_session(
        sender,
        partial(_submit, request, sender, key, params),
        key=key,
        history=past,
        system_prompt=system_prompt or None,
        model=request.model,
        context=Context(messages=chat_settings.MAX_PAGE_LIMIT),
        ttl=None if request.is_stored else UNSTORED_TTL,
    )
    return Turn.from_accepted(caller, accepted, params)


def _append(
    request: ResponseRequest,
    caller: Caller,
    model: str | None,
    sender: Sender,
    key: str,
    *,
    after_reply: int | None = None,
) -> Steps[Turn]:
    """Accept the turn in a session that exists; model: as `read_model` returned it."""
    _check_no_replies(request.earlier)
    yield from change_model(caller, model, request.model)
    params = _params(request)
    accepted = yield from _submit(
        request,
        sender,
        key,
        params,
        caller,
        before=_own(request),
        system_text=request.system_text,
        after_reply=after_reply,
    )
    return Turn.from_accepted(caller, accepted, params)


def _check_no_replies(earlier: Sequence[InputMessage]) -> None:
    if any(message.role is Role.ASSISTANT for message in earlier):
        raise InvalidRequest(NO_ASSISTANT, param="input")


def _continue(
    request: ResponseRequest, previous: MessageRef, sender: Sender, attaching: Steps[Attachment]
) -> Steps[Turn]:
    """Accept the turn after an earlier one: in its session if it is the last, else in a copy."""
    wanted = request.model if request.is_stored else None
    attachment, (earlier, model) = yield from joined(
        attaching, _retrieve_with_model(sender, previous, wanted)
    )
    key = attachment.key
    if request.is_stored:
        caller, last = earlier.caller, previous.number
        try:
            return (yield from _append(request, caller, model, sender, key, after_reply=last))
        except NotLastTurn:
            pass
    if sender.own_session:
        raise NotAllowed("With a session's token, only its last response can be continued.")
    return (yield from _fork(request, earlier, sender, key))


def _retrieve_with_model(
    sender: Sender, ref: MessageRef, wanted: str | None
) -> Steps[tuple[Turn, str | None]]:
    """Return the current state of a turn, and the session's model as `read_model` does.

    Raises:
        as `retrieve`
    """
    caller = Caller.internal(ref.session_id)  # `retrieve` checks the sender's access
    found = yield from joined(retrieve.steps(sender, ref), read_model(caller, wanted))
    return found


def _fork(request: ResponseRequest, earlier: Turn, sender: Sender, key: str) -> Steps[Turn]:
    """Accept the turn in a new session with the history up to an earlier turn.

    Redis copies the files of the history; they are not read here.

    Raises:
        Unavailable: another session with files is being copied.
    """
    _check_no_replies(request.earlier)
    check_inputs([request.message], request.model)
    yield from admit(sender)
    session = yield from sessions.read.steps(earlier.caller, limit=0)
    page = yield from messages.list_messages.steps(
        earlier.caller,
        before=f"msg_{earlier.number + 1}",
        after=None,
        limit=chat_settings.MAX_PAGE_LIMIT,
        newest_first=False,
    )
    past, known = yield from history.read_messages(earlier.caller, map(orjson.loads, page.messages))
    copy = history.build([*past, *_own(request)], known, source=earlier.session_id)
    system_prompt = join_system((orjson.loads(session.system_prompt), request.system_text))
    with turn_to_copy(copy.copied_bytes):
        return (yield from _open(request, sender, key, copy, system_prompt))


def _own(request: ResponseRequest) -> list[InputMessage]:
    """Return the user messages before the one to answer."""
    return [message for message in request.earlier if message.role is Role.USER]


def _params(request: ResponseRequest, *, history_length: int = 0) -> dict[str, Any]:
    """Return what is kept with the reply."""
    params = {"model": chat_settings.DEFAULT_MODEL, **request.shown}
    if history_length:
        params["history"] = history_length
    return params


def _submit(
    request: ResponseRequest,
    sender: Sender,
    key: str,
    params: Mapping[str, Any],
    caller: Caller,
    *,
    before: Sequence[InputMessage] = (),
    system_text: str = "",
    after_reply: int | None = None,
) -> Steps[Accepted]:
    message = merge([*before, request.message])
    parts = yield from files.store_parts.steps(caller, message.parts)
    accepted = yield from turns.submit.steps(
        caller=caller,
        content=message.text,
        parts=parts,
        options=request.options,
        key=key,
        request_id=sender.request_id,
        extras=TurnExtras(
            instructions="\n\n".join(filter(None, (system_text, request.instructions))),
            is_untruncated=request.is_untruncated,
            params=orjson.dumps(params),
            after_reply=after_reply,
        ),
    )
    return accepted


def _is_only_turn(turn: Turn) -> bool:
    """Return whether the session has no other messages than those of the turn and its history."""
    session = sessions.read(turn.caller, limit=1)
    newest = orjson.loads(session.messages[-1])["id"] if session.messages else ""
    length = turn.params.get("history", 0)
    return newest == turn.reply_id and turn.number == length + 2


def to_json(turn: Turn, reply: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the response of a turn; reply: its current state, if it has changed."""
    return to_response(turn.session_id, reply or turn.reply, turn.params)
