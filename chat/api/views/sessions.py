"""Sessions over REST."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.accounts import client_ip
from chat.api import headers, query_params, renderers, responses, schema_serializers
from chat.api.schema import (
    AFTER,
    IF_NONE_MATCH,
    LIMIT,
    LIMIT_ERRORS,
    SESSION_ERRORS,
    SUBSCRIBE_ERRORS,
    WAIT,
    idempotency_key_parameter,
    openapi,
)
from chat.api.serializers import EmptyBody, NewSessionBody, SessionUpdateBody
from chat.api.views.base import View
from chat.conversation import sessions, tickets
from chat.settings import chat_settings


class Sessions(View):
    """All sessions; nobody can list them here."""

    needs_token = False

    @openapi(
        {201: schema_serializers.NewSession},
        body=NewSessionBody,
        needs_token=False,
        errors=(
            *LIMIT_ERRORS,
            *SESSION_ERRORS,
        ),  # it has ended, by its `ttl`, before all of this is done
        parameters=[idempotency_key_parameter(headers.MIN_SECRET_KEY_CHARS)],
    )
    def post(self, _: Request) -> HttpResponse:
        """Open a session."""
        token, session = sessions.open_session(
            address=client_ip.client_address(self.django_request.META),
            key=self.idempotency_key(is_secret=True),
            **self.body(NewSessionBody),
        )
        location = {"Location": f"/sessions/{session.id}"}
        return responses.json(renderers.render_new_session(token, session), 201, location)


class Session(View):
    """One session."""

    @openapi(
        {200: schema_serializers.Session, 304: None},
        errors=SUBSCRIBE_ERRORS,
        parameters=[AFTER, LIMIT, WAIT, IF_NONE_MATCH],
    )
    def get(self, _: Request, session_id: str) -> HttpResponse:
        """Read the session and its newest messages."""
        caller = self.caller(session_id)
        query = query_params.snapshot_query(self.django_request.GET)
        known = headers.known_seq(self.django_request.META, query.after, query.limit)
        session = sessions.read_if_changed(
            caller, known=known, after=query.after, limit=query.limit
        )
        if session is None:
            return responses.not_modified(known, query.after, query.limit)
        if headers.has_if_none_match_any(self.django_request.META):
            return responses.not_modified(session.seq, query.after, query.limit)
        return responses.json_with_etag(
            renderers.render_session(session), session.seq, query.after, query.limit
        )

    @openapi({200: schema_serializers.Session}, body=SessionUpdateBody)
    def patch(self, _: Request, session_id: str) -> HttpResponse:
        """Change fields of the session."""
        session = sessions.update(self.caller(session_id), self.body(SessionUpdateBody))
        return responses.json(renderers.render_session(session))

    @openapi({204: None})
    def delete(self, _: Request, session_id: str) -> HttpResponse:
        """Remove every trace of the session."""
        query_params.no_query(self.django_request.GET)
        sessions.delete(self.caller(session_id))
        return responses.no_content()


class Reset(View):
    """Clearing a session's history."""

    @openapi(
        {200: schema_serializers.Session},
        body=EmptyBody,
        errors=LIMIT_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Cancel what is open, clear the history, keep the session and its token."""
        caller = self.caller(session_id)
        self.body(EmptyBody)
        return responses.json(
            renderers.render_session(sessions.reset(caller, key=self.idempotency_key()))
        )


class Token(View):
    """A session's token."""

    @openapi(
        {200: schema_serializers.NewToken}, body=EmptyBody, parameters=[idempotency_key_parameter()]
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Give the session a new token and a new expiry; the old token dies."""
        caller = self.caller(session_id)
        self.body(EmptyBody)
        token, expires_at = sessions.rotate_token(caller, key=self.idempotency_key())
        return responses.json(renderers.render_token(session_id, token, expires_at))


class Ticket(View):
    """A ticket, for where a token would be seen: in the URL of a WebSocket or an event stream."""

    @openapi(
        {201: schema_serializers.NewTicket},
        body=EmptyBody,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Get a ticket that opens one WebSocket or event stream, once."""
        caller = self.caller(session_id)
        self.body(EmptyBody)
        ticket = tickets.issue(caller, key=self.idempotency_key())
        return responses.json(renderers.render_ticket(ticket, chat_settings.TICKET_TTL), 201)
