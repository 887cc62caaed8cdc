"""The tutorial's REST API, for its unchanged React client (docs/tutorials.md).

The text of a message starts with its speaker, and the token is in the URL. The setting
CHAT_TUTORIAL disables this API and its WebSocket.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from chat.accounts import client_ip, read_limits
from chat.api import responses, schema_serializers
from chat.api.fields import StrictCharField
from chat.api.schema import (
    LIMIT_ERRORS,
    RATE_ERRORS,
    SESSION_ERRORS,
    idempotency_key_parameter,
    openapi,
)
from chat.api.serializers import MAX_NAME_CHARS
from chat.api.strict_serializer import StrictSerializer, validate
from chat.api.views.base import View
from chat.conversation import sessions, tokens
from chat.conversation.idempotency import MIN_SECRET_KEY_CHARS
from chat.domain import Role, Snapshot, Status
from chat.domain.errors import (
    InvalidRequest,
    InvalidToken,
    NotFound,
    SessionExpired,
    SessionNotFound,
)
from chat.settings import chat_settings

SPEAKERS = {Role.USER: "Human", Role.ASSISTANT: "Bot"}
# Replace the text of a reply that has neither text nor an error.
ERROR_TEXTS = {
    Status.INCOMPLETE: "The reply was cut off.",
    Status.FAILED: "There is no reply.",
    Status.CANCELLED: "The reply was cancelled.",
    Status.EXPIRED: "The message waited too long.",
}
# The schema of the query parameters, which must not be empty.
NOT_EMPTY = {"type": "string", "minLength": 1}


class EntrySchema(schema_serializers.Output):
    """A message in the tutorial's format."""

    id = serializers.CharField()
    msg = serializers.CharField(help_text="The text, with the prefix `Human: ` or `Bot: `.")
    timestamp = serializers.CharField(help_text="Date and time (UTC).")


class ChatSchema(schema_serializers.Output):
    """A session in the tutorial's format."""

    token = serializers.CharField()
    name = serializers.CharField()
    messages = EntrySchema(many=True)
    session_start = serializers.CharField(help_text="Date and time (UTC).")


class NameQuery(StrictSerializer):
    name = StrictCharField(max_length=MAX_NAME_CHARS)


class TokenQuery(StrictSerializer):
    token = StrictCharField()


class TutorialView(View):
    needs_token = False

    def query(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        """Return the validated query parameters.

        Raises:
            NotFound: the setting `TUTORIAL` is off.
        """
        if not chat_settings.TUTORIAL:
            raise NotFound
        return validate(serializer_class, self.django_request.GET.dict())


class TutorialToken(TutorialView):
    @openapi(
        {200: ChatSchema},
        needs_token=False,
        errors=(*LIMIT_ERRORS, *SESSION_ERRORS),
        parameters=[
            OpenApiParameter("name", NOT_EMPTY | {"maxLength": MAX_NAME_CHARS}, required=True),
            idempotency_key_parameter(MIN_SECRET_KEY_CHARS),
        ],
    )
    def post(self, _: Request) -> HttpResponse:
        """Create a session for the tutorial's client."""
        token, session = sessions.open_session(
            address=client_ip.client_address(self.django_request.META),
            key=self.idempotency_key(is_secret=True),
            **self.query(NameQuery),
        )
        return responses.json(render_chat(token, session))


class TutorialRefresh(TutorialView):
    @openapi(
        {200: ChatSchema},
        needs_token=False,
        errors=RATE_ERRORS,
        parameters=[OpenApiParameter("token", NOT_EMPTY, required=True)],
    )
    def get(self, _: Request) -> HttpResponse:
        """Get a session for the tutorial's client."""
        token = self.query(TokenQuery)["token"]
        try:
            caller = tokens.caller_from_token(token)
            read_limits.check_read(caller, self.django_request.META)
            session = sessions.read(caller, limit=chat_settings.MAX_PAGE_LIMIT)
        except (InvalidToken, SessionNotFound, SessionExpired) as error:
            raise InvalidRequest(
                "The session has expired or does not exist.", param="token"
            ) from error
        return responses.json(render_chat(token, session))


def render_chat(token: str, session: Snapshot) -> bytes:
    """Return a session in the tutorial's format, without replies that have not ended."""
    messages = map(orjson.loads, session.messages)
    return orjson.dumps(
        {
            "token": token,
            "name": orjson.loads(session.name),
            "messages": [
                render_entry(message)
                for message in messages
                if Status(message["status"]).is_terminal
            ],
            "session_start": format_time(session.created_at),
        }
    )


def render_entry(message: Mapping[str, Any]) -> dict[str, str]:
    """Return a message that has ended in the tutorial's format.

    A failed reply has the error as its text, because the format has no field for errors.
    """
    return make_entry(
        message["id"], SPEAKERS[message["role"]], entry_text(message), message["completed_at"]
    )


def make_entry(message_id: str, speaker: str, text: str, created_at: float) -> dict[str, str]:
    return {"id": message_id, "msg": f"{speaker}: {text}", "timestamp": format_time(created_at)}


def entry_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message, or why it has none."""
    if message["content"] or message["status"] == Status.COMPLETED:
        return str(message["content"])
    error = message["error"]
    return str(error["message"]) if error else ERROR_TEXTS[Status(message["status"])]


def format_time(at: float) -> str:
    """Return a time (seconds since the epoch) in the tutorial's format: `2026-01-31 09:05:00.5`."""
    return str(datetime.fromtimestamp(at, UTC).replace(tzinfo=None))
