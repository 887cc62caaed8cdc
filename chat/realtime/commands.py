"""The frames that clients send over a socket, and those that answer them."""

from collections.abc import Callable
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError

from chat.api import headers, renderers
from chat.api.auth import of_session
from chat.api.exception_handler import told, translated
from chat.api.fields import Text, Whole
from chat.api.serializers import Body, NewMessage, checked
from chat.api.strict_json import read_object
from chat.conversation import sessions, tokens, turns
from chat.domain import Caller
from chat.domain.errors import InvalidRequest, InvalidToken, ParleyError
from chat.logging import reset_context
from chat.settings import chat_settings

# Most characters of a client's own name for a frame.
REF_CHARS = 100
Fields = dict[str, Any]
# Takes a frame's fields and a request id; gives the answer's members, without the braces.
Act = Callable[[Caller, Fields, str], bytes]


class Frame(Body):
    """What all frames have."""

    type = Text()
    ref = Text(max_length=REF_CHARS, required=False)


class Auth(Frame):
    """Who speaks, and what he knows already."""

    token = Text()
    after = Whole(min_value=0, max_value=10**15, required=False)


class Create(NewMessage, Frame):
    """A user message to be answered."""

    session = None  # type: ignore[assignment]  # DRF takes fields away
    key = Text(required=False)


class Cancel(Frame):
    """A turn to be ended early, by its reply or its user message."""

    id = Text()


def credentials(text: str | None, session_id: str) -> tuple[Caller, int | None]:
    """Return who authenticates with a socket's first frame, and the cursor, if it gives one.

    Raises:
        InvalidToken: it does not.
        SessionNotFound: the token is another session's.
        InvalidRequest: it tries to.
    """
    frame = _read(text)
    if frame.get("type") != "auth":
        raise InvalidToken("The first frame must be auth.")
    try:
        fields = checked(Auth, frame)
    except ValidationError as error:
        raise translated(error) or ParleyError() from error
    return of_session(tokens.caller_from_token(fields["token"]), session_id), fields.get("after")


def owner_by_url(token: str, session_id: str) -> Caller:
    """Return the holder of a token that stands in a URL.

    Raises:
        InvalidToken: it is none, or none is taken from there.
        SessionNotFound: it is another session's.
    """
    if not chat_settings.URL_TOKENS:
        raise InvalidToken("Tokens are not taken from URLs here.")
    return of_session(tokens.caller_from_token(token), session_id)


def answer(caller: Caller, text: str | None) -> bytes:
    """Do what a frame asks for; return the frame that answers it."""
    request_id = headers.request_id({})
    reset_context(request_id=request_id)
    ref = None
    try:
        frame = _read(text)
        ref = _ref(frame)
        kind, act = _chosen(frame)
        fields = checked(kind, frame)
        return _shape(ref, act(caller, _own(fields), request_id))
    except (ParleyError, ValidationError) as error:
        refusal = told(translated(error) or ParleyError(), request_id)
        return _shape(ref, b'"type":"error",' + orjson.dumps(refusal)[1:-1])


def create(caller: Caller, fields: Fields, request_id: str) -> bytes:
    """Accept a user message."""
    key = fields.pop("key", None)
    key = headers.idempotency_key({} if key is None else {"HTTP_IDEMPOTENCY_KEY": key})
    turn = turns.submit(caller=caller, key=key, request_id=request_id, **fields)
    return b'"type":"message.accepted",' + renderers.accepted(turn)[1:-1]


def cancel(caller: Caller, fields: Fields, request_id: str) -> bytes:  # noqa: ARG001
    """Cancel a turn; its reply may end a moment later."""
    cancelled = turns.cancel(caller=caller, message_id=fields["id"])
    return b'"type":"cancel.accepted","reply":' + cancelled.reply


def ping(caller: Caller, fields: Fields, request_id: str) -> bytes:  # noqa: ARG001
    """Answer a sign of life, which keeps the session alive as well."""
    return b'"type":"pong","expires_at":%.3f' % sessions.touch(caller)


ACTS: dict[str, tuple[type[Frame], Act]] = {
    "message.create": (Create, create),
    "message.cancel": (Cancel, cancel),
    "ping": (Frame, ping),
}


def _read(text: str | None) -> Fields:
    if text is None:
        raise InvalidRequest("A frame is text.")
    return read_object(text.encode())


def _ref(frame: Fields) -> str | None:
    """Return the client's name for the frame, before it is known whether the frame is any good."""
    ref = frame.get("ref")
    return ref if isinstance(ref, str) and len(ref) <= REF_CHARS else None


def _chosen(frame: Fields) -> tuple[type[Frame], Act]:
    kind = frame.get("type")
    found = ACTS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise InvalidRequest(f"A frame's type is one of {', '.join(ACTS)}.", param="type")
    return found


def _own(fields: Fields) -> Fields:
    """Return what is the act's own of the fields."""
    return {name: value for name, value in fields.items() if name not in {"type", "ref"}}


def _shape(ref: str | None, members: bytes) -> bytes:
    return b'{%b,"ref":%b}' % (members, orjson.dumps(ref))
