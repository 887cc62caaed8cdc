"""WebSocket frames: commands from clients, and the responses to them."""

from collections.abc import Callable
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError

from chat.accounts import read_limits
from chat.api import headers, renderers
from chat.api.auth import authenticate_token, caller_of
from chat.api.exception_handler import error_body, to_parley_error
from chat.api.fields import StrictCharField, StrictIntegerField
from chat.api.serializers import NewMessageBody
from chat.api.strict_json import read_object
from chat.api.strict_serializer import StrictSerializer, validate
from chat.conversation import sessions, tokens, turns
from chat.conversation.idempotency import check_key
from chat.domain import Caller
from chat.domain.errors import InvalidRequest, InvalidToken, ParleyError
from chat.logging import reset_context
from chat.settings import chat_settings

MAX_REF_CHARS = 100
Fields = dict[str, Any]
# Takes a frame's own fields and a request id. Returns the response's members, without braces.
Handler = Callable[[Caller, Fields, str], bytes]


class Frame(StrictSerializer):
    """The fields of every frame. A response repeats the `ref` of its command."""

    type = StrictCharField()
    ref = StrictCharField(max_length=MAX_REF_CHARS, required=False)


class AuthFrame(Frame):
    """A token, the user for whom an API key acts, and the seq of the last event received."""

    token = StrictCharField()
    user = StrictCharField(required=False)
    after = StrictIntegerField(min_value=0, max_value=10**15, required=False)


class CreateFrame(NewMessageBody, Frame):
    """A new user message. `key` is an idempotency key."""

    session = None  # type: ignore[assignment]  # DRF's metaclass removes fields
    key = StrictCharField(required=False)


class CancelFrame(Frame):
    """A turn to cancel, by the id of its message or reply."""

    id = StrictCharField()


def authenticate(text: str | None, session_id: str) -> tuple[Caller, int | None]:
    """Return the caller of an `auth` frame, and its cursor if it has one.

    Raises:
        InvalidToken: it is another frame, or its token is not valid.
        SessionNotFound: the token belongs to another session.
        InvalidRequest: the frame is not valid.
        StoreUnavailable: an API key could not be checked.
    """
    frame = _parse(text)
    if frame.get("type") != "auth":
        raise InvalidToken("The first frame must be auth.")
    try:
        fields = validate(AuthFrame, frame)
    except ValidationError as error:
        raise to_parley_error(error) or ParleyError() from error
    sender = authenticate_token(fields["token"], fields.get("user"))
    return caller_of(sender, session_id), fields.get("after")


def caller_from_url_token(session_id: str, token: str) -> Caller:
    """Return the caller of a token in the URL.

    Raises:
        InvalidToken: it is malformed, or the setting `URL_TOKENS` is off.
        SessionNotFound: it belongs to another session.
        Banned, StoreUnavailable
    """
    if not chat_settings.URL_TOKENS:
        raise InvalidToken("Tokens in URLs are disabled; use a ticket or an auth frame.")
    return caller_of(tokens.caller_from_token(token), session_id)


def execute(caller: Caller, text: str | None) -> bytes:
    """Execute a command, and return the frame of its response."""
    request_id = headers.new_request_id()
    reset_context(request_id=request_id)
    ref = None
    try:
        frame = _parse(text)
        ref = _ref(frame)
        frame_class, handler = _handler(frame)
        fields = validate(frame_class, frame)
        return _response(ref, handler(caller, _handler_fields(fields), request_id))
    except (ParleyError, ValidationError) as error:
        body = error_body(to_parley_error(error) or ParleyError(), request_id)
        return _response(ref, b'"type":"error",' + orjson.dumps(body)[1:-1])


def create(caller: Caller, fields: Fields, request_id: str) -> bytes:
    key = fields.pop("key", None)
    key = "" if key is None else check_key(key)
    turn = turns.submit(caller=caller, key=key, request_id=request_id, **fields)
    return b'"type":"message.accepted",' + renderers.render_accepted(turn)[1:-1]


def cancel(caller: Caller, fields: Fields, request_id: str) -> bytes:  # noqa: ARG001
    read_limits.check_caller(caller, caller.address)
    cancelled = turns.cancel(caller=caller, message_id=fields["id"])
    return b'"type":"cancel.accepted","reply":' + cancelled.reply


def ping(caller: Caller, fields: Fields, request_id: str) -> bytes:  # noqa: ARG001
    """Respond with a pong, and renew the session's expiry."""
    return b'"type":"pong","expires_at":%.3f' % sessions.touch(caller)


HANDLERS: dict[str, tuple[type[Frame], Handler]] = {
    "message.create": (CreateFrame, create),
    "message.cancel": (CancelFrame, cancel),
    "ping": (Frame, ping),
}


def _parse(text: str | None) -> Fields:
    if text is None:
        raise InvalidRequest("A frame must be text.")
    return read_object(text.encode())


def _ref(frame: Fields) -> str | None:
    """Return the `ref` of a frame that was not validated, for an error response."""
    ref = frame.get("ref")
    return ref if isinstance(ref, str) and len(ref) <= MAX_REF_CHARS else None


def _handler(frame: Fields) -> tuple[type[Frame], Handler]:
    frame_type = frame.get("type")
    entry = HANDLERS.get(frame_type) if isinstance(frame_type, str) else None
    if entry is None:
        raise InvalidRequest(f"type must be one of {', '.join(HANDLERS)}.", param="type")
    return entry


def _handler_fields(fields: Fields) -> Fields:
    """Return the fields that are not common to all frames."""
    return {name: value for name, value in fields.items() if name not in {"type", "ref"}}


def _response(ref: str | None, members: bytes) -> bytes:
    return b'{%b,"ref":%b}' % (members, orjson.dumps(ref))
