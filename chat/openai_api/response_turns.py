"""Creating a response: its turn is accepted in a new session, in an existing one, or in a copy."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from chat.conversation import files, history, sessions, turns
from chat.conversation.copies import turn_to_copy
from chat.conversation.repeats import Attachment
from chat.domain import WHOLE_CONTEXT, Accepted, Caller, History, PastTurn, TurnExtras
from chat.domain.errors import InvalidRequest, NotAllowed, NotLastTurn
from chat.openai_api import responses
from chat.openai_api.content import check_inputs
from chat.openai_api.history import join_system
from chat.openai_api.ids import MessageRef
from chat.openai_api.response_request import ResponseRequest
from chat.protocols.senders import Sender, admit, open_session, read_model, with_model
from chat.protocols.turn import Turn
from chat.settings import chat_settings
from chat.store.calls import Steps, gather

# Seconds that a session lives after the end of a response with `store` false.
UNSTORED_TTL = 300
# Messages of an input that are added to a session that exists: each takes Redis about 20 us.
MAX_ADDED = 200


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
        attachment, model = yield from gather(attaching, read_model(caller, request.model))
        return (yield from _append(request, caller, model, sender, attachment.key))
    if request.previous is not None:
        return (yield from _continue(request, request.previous, sender, attaching))
    check_inputs([*request.earlier, request.message], request.model)
    attachment, _ = yield from gather(attaching, admit(sender))
    past = history.build(request.earlier)
    own = len(past.turns)
    opening = _open(request, sender, attachment.key, past, request.system_text, own_turns=own)
    return (yield from opening)


def _open(
    request: ResponseRequest,
    sender: Sender,
    key: str,
    past: History,
    system_prompt: str,
    *,
    own_turns: int,
) -> Steps[Turn]:
    """Accept the turn in a new session with a history.

    own_turns: at its end, of the request's input; those before are of a copy.
    """
    params = _params(request, own_turns)
    caller, accepted = yield from open_session(
        sender,
        partial(_submit, request, sender, key, params),
        key=key,
        history=past,
        system_prompt=system_prompt or None,
        model=request.model,
        context=WHOLE_CONTEXT,
        ttl=None if request.is_stored else UNSTORED_TTL,
        is_listed=request.is_stored,
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
    appending = _append_input(request, sender, key, after_reply, caller)
    accepted, params = yield from with_model(caller, model, request.model, appending)
    return Turn.from_accepted(caller, accepted, params)


def _append_input(
    request: ResponseRequest, sender: Sender, key: str, after_reply: int | None, caller: Caller
) -> Steps[tuple[Accepted, Mapping[str, Any]]]:
    if len(request.earlier) >= MAX_ADDED:
        raise InvalidRequest(
            f"In a conversation that exists, `input` must have at most {MAX_ADDED} items.",
            param="input",
        )
    before = history.pair((yield from files.store_messages.steps(caller, request.earlier)))
    params = _params(request, len(before))
    accepted = yield from _submit(
        request,
        sender,
        key,
        params,
        caller,
        before=before,
        system_text=request.system_text,
        after_reply=after_reply,
    )
    return accepted, params


def _continue(
    request: ResponseRequest, previous: MessageRef, sender: Sender, attaching: Steps[Attachment]
) -> Steps[Turn]:
    """Accept the turn after an earlier one: in its session if it is the last, else in a copy."""
    wanted = request.model if request.is_stored else None
    attachment, (earlier, model) = yield from gather(
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
    found = yield from gather(responses.retrieve.steps(sender, ref), read_model(caller, wanted))
    return found


def _fork(request: ResponseRequest, earlier: Turn, sender: Sender, key: str) -> Steps[Turn]:
    """Accept the turn in a new session with the history up to an earlier turn.

    Redis copies the files of the history; they are not read here.

    Raises:
        Unavailable: another session with files is being copied.
    """
    check_inputs([*request.earlier, request.message], request.model)
    yield from admit(sender)
    session = yield from sessions.read.steps(earlier.caller, limit=0)
    past, known = yield from history.read_turns(earlier.caller, earlier.number)
    own = history.build(request.earlier, known)
    copy = History(
        turns=[*past, *own.turns], files=own.files, source=earlier.session_id, copied=known
    )
    system_prompt = join_system((orjson.loads(session.system_prompt), request.system_text))
    opening = _open(request, sender, key, copy, system_prompt, own_turns=len(own.turns))
    with turn_to_copy(copy.copied_bytes):
        return (yield from opening)


def _params(request: ResponseRequest, own_turns: int) -> dict[str, Any]:
    """Return what is kept with the reply; own_turns: of the input, before the one to answer."""
    params = {"model": chat_settings.DEFAULT_MODEL, **request.shown}
    if own_turns:
        params["history"] = 2 * own_turns  # messages
    return params


def _submit(
    request: ResponseRequest,
    sender: Sender,
    key: str,
    params: Mapping[str, Any],
    caller: Caller,
    *,
    before: Sequence[PastTurn] = (),
    system_text: str = "",
    after_reply: int | None = None,
) -> Steps[Accepted]:
    parts = yield from files.store_parts.steps(caller, request.message.parts)
    accepted = yield from turns.submit.steps(
        caller=caller,
        content=request.message.text,
        parts=parts,
        options=request.options,
        key=key,
        request_id=sender.request_id,
        extras=TurnExtras(
            instructions="\n\n".join(filter(None, (system_text, request.instructions))),
            is_untruncated=request.is_untruncated,
            params=orjson.dumps(params),
            after_reply=after_reply,
            before=before,
        ),
    )
    return accepted
