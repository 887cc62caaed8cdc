"""The calls of the tutorial whose React client runs on Parley unchanged (docs/tutorials.md).

Its messages bear their speaker in their text, and its token stands in URLs: here, on its socket
and nowhere else. CHAT_TUTORIAL switches all of it off.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from chat.accounts import client_ip
from chat.api import headers, responses, schema_serializers
from chat.api.fields import StrictCharField
from chat.api.schema import LIMIT_ERRORS, SESSION_ERRORS, idempotency_key_parameter, openapi
from chat.api.serializers import MAX_NAME_CHARS, StrictSerializer, validate
from chat.api.views.base import View
from chat.conversation import sessions, tokens
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
# Said in place of a reply that has no text of its own, and no error that tells why.
ERROR_TEXTS = {
    Status.INCOMPLETE: "The reply was cut off.",
    Status.FAILED: "There is no reply.",
    Status.CANCELLED: "The reply was cancelled.",
    Status.EXPIRED: "The message waited too long.",
}


class EntrySchema(schema_serializers.Output):
    """A message as the tutorial's client shows it."""

    id = serializers.CharField()
    msg = serializers.CharField(help_text="The text after `Human: ` or `Bot: `.")
    timestamp = serializers.CharField(help_text="Date and time, UTC.")


class ChatSchema(schema_serializers.Output):
    """A session as the tutorial's client knows it."""

    token = serializers.CharField()
    name = serializers.CharField()
    messages = EntrySchema(many=True)
    session_start = serializers.CharField(help_text="Date and time, UTC.")


class NameQuery(StrictSerializer):
    """Who opens the session."""

    name = StrictCharField(max_length=MAX_NAME_CHARS)


class TokenQuery(StrictSerializer):
    """Whose session is asked for."""

    token = StrictCharField()


class TutorialView(View):
    """What the tutorial's calls share."""

    needs_token = False

    def query(self, kind: type[StrictSerializer]) -> dict[str, Any]:
        """Return the query parameters, checked.

        Raises:
            NotFound: there are no such calls here.
        """
        if not chat_settings.TUTORIAL:
            raise NotFound
        return validate(kind, self.django_request.GET.dict())


class TutorialToken(TutorialView):
    """Where the tutorial's client begins."""

    @openapi(
        {200: ChatSchema},
        needs_token=False,
        errors=(*LIMIT_ERRORS, *SESSION_ERRORS),
        parameters=[
            OpenApiParameter("name", {"type": "string"}, required=True),
            idempotency_key_parameter(headers.MIN_SECRET_KEY_CHARS),
        ],
    )
    def post(self, _: Request) -> HttpResponse:
        """Open a session for the tutorial's client."""
        token, session = sessions.open_session(
            address=client_ip.client_address(self.django_request.META),
            key=self.idempotency_key(is_secret=True),
            **self.query(NameQuery),
        )
        return responses.json(render_chat(token, session))


class TutorialRefresh(TutorialView):
    """Where the tutorial's client goes on."""

    @openapi(
        {200: ChatSchema},
        needs_token=False,
        parameters=[OpenApiParameter("token", {"type": "string"}, required=True)],
    )
    def get(self, _: Request) -> HttpResponse:
        """Read a session for the tutorial's client."""
        token = self.query(TokenQuery)["token"]
        try:
            session = sessions.read(
                tokens.caller_from_token(token), limit=chat_settings.MAX_PAGE_LIMIT
            )
        except (InvalidToken, SessionNotFound, SessionExpired) as error:
            raise InvalidRequest(
                "The session has expired or does not exist.", param="token"
            ) from error
        return responses.json(render_chat(token, session))


def render_chat(token: str, session: Snapshot) -> bytes:
    """Return a session in the tutorial's shape, without replies that are yet to end."""
    messages = map(orjson.loads, session.messages)
    return orjson.dumps(
        {
            "token": token,
            "name": orjson.loads(session.name),
            "messages": [
                render_entry(each) for each in messages if Status(each["status"]).is_terminal
            ],
            "session_start": format_time(session.created_at),
        }
    )


def render_entry(message: Mapping[str, Any]) -> dict[str, str]:
    """Return a message that has ended in the tutorial's shape.

    A reply that failed says so in words: that client knows no other way to learn of it.
    """
    return make_entry(
        message["id"], SPEAKERS[message["role"]], entry_text(message), message["completed_at"]
    )


def make_entry(message_id: str, speaker: str, words: str, at: float) -> dict[str, str]:
    """Return what somebody says, in the tutorial's shape."""
    return {"id": message_id, "msg": f"{speaker}: {words}", "timestamp": format_time(at)}


def entry_text(message: Mapping[str, Any]) -> str:
    """Return what a message says, or why it says nothing."""
    if message["content"] or message["status"] == Status.COMPLETED:
        return str(message["content"])
    error = message["error"]
    return str(error["message"]) if error else ERROR_TEXTS[Status(message["status"])]


def format_time(at: float) -> str:
    """Return a time (seconds since the epoch) as the tutorial writes it: `2026-01-31 09:05:00.5`.

    Its client reads the first eight digits.
    """
    return str(datetime.fromtimestamp(at, UTC).replace(tzinfo=None))
