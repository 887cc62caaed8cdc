"""What both views of `POST /messages` and `POST /sessions/{id}/messages` share.

The async view (`chat.realtime.views`) serves small bodies under `make run`. The sync view
(`chat.api.views.messages`) serves larger ones, and all of them under a WSGI server.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from chat.api import auth, headers, query_params, renderers, responses
from chat.api.serializers import NewMessageBody
from chat.api.strict_serializer import validate
from chat.domain import Accepted, Caller, Principal
from chat.domain.errors import InvalidRequest, SessionNotFound


def submit_arguments(
    request: HttpRequest,
    sender: Caller | Principal,
    read_body: Callable[[], Any],
    session_id: str = "",
) -> dict[str, Any]:
    """Return the arguments of `turns.submit` for the session of the path, body or token.

    read_body: returns the JSON object of the body. session_id: of the path, if it has one.

    Raises:
        InvalidRequest, ValidationError: the request is not valid.
        SessionNotFound: the sender names another session than the token or the path.
        ParleyError: as `read_body`.
    """
    if request.META.get("QUERY_STRING"):  # to parse an empty one takes 4 us
        query_params.reject_query(request.GET)
    body = validate(NewMessageBody, read_body())
    if isinstance(sender, Caller):
        session_id = session_id or sender.session_id
    named = body.pop("session", session_id)
    if not named:
        raise InvalidRequest("With an API key or JWT, name the session.", param="session")
    if session_id and named != session_id:
        raise SessionNotFound
    return {
        "caller": auth.caller_of(sender, named),
        "key": headers.idempotency_key(request.META),
        "request_id": responses.get_request_id(request),
        **body,
    }


def accepted_response(turn: Accepted) -> HttpResponse:
    """Return 202 with both messages and the reply's path as Location."""
    reply_id = renderers.message_id(turn.reply).decode()
    location = responses.location(f"/sessions/{turn.session_id}/messages/{reply_id}")
    return responses.json(renderers.render_accepted(turn), 202, location)
