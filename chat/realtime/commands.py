"""The frames that clients send over a socket, and those that answer them."""

from collections.abc import Callable
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError

from chat.api import headers, renderers
from chat.api.auth import require_session
from chat.api.exception_handler import error_body, to_parley_error
from chat.api.fields import StrictCharField, StrictIntegerField
from chat.api.serializers import NewMessageBody, StrictSerializer, validate
from chat.api.strict_json import read_object
from chat.conversation import sessions, tokens, turns
from chat.domain import Caller
from chat.domain.errors import InvalidRequest, InvalidToken, ParleyError
from chat.logging import reset_context
from chat.settings import chat_settings

# Most characters of a client's own name for a frame.
MAX_REF_CHARS = 100
Fields = dict[str, Any]
# Takes a frame's fields and a request id; gives the answer's members, without the braces.
Handler = Callable[[Caller, Fields, str], bytes]


class Frame(StrictSerializer):
    """What all frames have."""

    type = StrictCharField()
    ref = StrictCharField(max_length=MAX_REF_CHARS, required=False)


class AuthFrame(Frame):
    """Who speaks, and what he knows already."""

    token = StrictCharField()
    after = StrictIntegerField(min_value=0, max_value=10**15, required=False)


class CreateFrame(NewMessageBody, Frame):
    """A user message to be answered."""

    session = None  # type: ignore[assignment]  # DRF takes fields away
    key = StrictCharField(required=False)


class CancelFrame(Frame):
    """A turn to be ended early, by its reply or its user message."""

    id = StrictCharField()


def authenticate(text: str | None, session_id: str) -> tuple[Caller, int | None]:
    """Return who authenticates with a socket's first frame, and the cursor, if it gives one.

    Raises:
        InvalidToken: it does not.
        SessionNotFound: the token is another session's.
        InvalidRequest: it tries to.
    """
    frame = _parse(text)
    if frame.get("type") != "auth":
        raise InvalidToken("The first frame must be auth.")
    try:
        fields = validate(AuthFrame, frame)
    except ValidationError as error:
        raise to_parley_error(error) or ParleyError() from error
    return require_session(tokens.caller_from_token(fields["token"]), session_id), fields.get(
        "after"
    )


def caller_from_url_token(token: str, session_id: str) -> Caller:
    """Return the holder of a token that stands in a URL.

    Raises:
        InvalidToken: it is none, or none is taken from there.
        SessionNotFound: it is another session's.
    """
    if not chat_settings.URL_TOKENS:
        raise InvalidToken("Tokens are not taken from URLs here.")
    return require_session(tokens.caller_from_token(token), session_id)


def execute(caller: Caller, text: str | None) -> bytes:
    """Do what a frame asks for; return the frame that answers it."""
    request_id = headers.request_id({})
    reset_context(request_id=request_id)
    ref = None
    try:
        frame = _parse(text)
        ref = _ref(frame)
        kind, act = _handler(frame)
        fields = validate(kind, frame)
        return _response(ref, act(caller, _handler_fields(fields), request_id))
    except (ParleyError, ValidationError) as error:
        refusal = error_body(to_parley_error(error) or ParleyError(), request_id)
        return _response(ref, b'"type":"error",' + orjson.dumps(refusal)[1:-1])


def create(caller: Caller, fields: Fields, request_id: str) -> bytes:
    """Accept a user message."""
    key = fields.pop("key", None)
    key = headers.idempotency_key({} if key is None else {"HTTP_IDEMPOTENCY_KEY": key})
    turn = turns.submit(caller=caller, key=key, request_id=request_id, **fields)
    return b'"type":"message.accepted",' + renderers.render_accepted(turn)[1:-1]


def cancel(caller: Caller, fields: Fields, request_id: str) -> bytes:  # noqa: ARG001
    """Cancel a turn; its reply may end a moment later."""
    cancelled = turns.cancel(caller=caller, message_id=fields["id"])
    return b'"type":"cancel.accepted","reply":' + cancelled.reply


def ping(caller: Caller, fields: Fields, request_id: str) -> bytes:  # noqa: ARG001
    """Answer a sign of life, which keeps the session alive as well."""
    return b'"type":"pong","expires_at":%.3f' % sessions.touch(caller)


HANDLERS: dict[str, tuple[type[Frame], Handler]] = {
    "message.create": (CreateFrame, create),
    "message.cancel": (CancelFrame, cancel),
    "ping": (Frame, ping),
}


def _parse(text: str | None) -> Fields:
    if text is None:
        raise InvalidRequest("A frame is text.")
    return read_object(text.encode())


def _ref(frame: Fields) -> str | None:
    """Return the client's name for the frame, before it is known whether the frame is any good."""
    ref = frame.get("ref")
    return ref if isinstance(ref, str) and len(ref) <= MAX_REF_CHARS else None


def _handler(frame: Fields) -> tuple[type[Frame], Handler]:
    kind = frame.get("type")
    found = HANDLERS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise InvalidRequest(f"A frame's type is one of {', '.join(HANDLERS)}.", param="type")
    return found


def _handler_fields(fields: Fields) -> Fields:
    """Return what is the act's own of the fields."""
    return {name: value for name, value in fields.items() if name not in {"type", "ref"}}


def _response(ref: str | None, members: bytes) -> bytes:
    return b'{%b,"ref":%b}' % (members, orjson.dumps(ref))
