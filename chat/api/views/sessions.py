"""Sessions, their tokens and tickets."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.accounts import client_ip, read_limits
from chat.api import auth, query_params, renderers, responses, schema_serializers
from chat.api.polling import PollRequest
from chat.api.schema import (
    AFTER,
    IF_NONE_MATCH,
    LIMIT,
    LIMIT_ERRORS,
    NAME_QUERY,
    PARLEY_USER,
    RATE_ERRORS,
    SESSION_CURSOR,
    SESSION_ERRORS,
    SESSION_LIMIT,
    WAIT,
    idempotency_key_parameter,
    openapi,
)
from chat.api.serializers import EmptyBody, NewSessionBody, SessionUpdateBody
from chat.api.views.base import View
from chat.conversation import sessions, tickets, users
from chat.conversation.idempotency import MIN_SECRET_KEY_CHARS
from chat.settings import chat_settings


class Sessions(View):
    """The sessions of a user; the client may open one."""

    needs_token = False

    @openapi(
        {200: schema_serializers.SessionPage},
        errors=RATE_ERRORS,
        parameters=[SESSION_CURSOR, SESSION_LIMIT, NAME_QUERY, PARLEY_USER],
    )
    def get(self, _: Request) -> HttpResponse:
        """List the user's sessions, most recently active first."""
        principal = auth.require_principal(self.django_request.META)
        read_limits.check_principal(principal)
        query = query_params.sessions_query(self.django_request.GET)
        page = users.list_sessions(principal, query=query.q, before=query.before, limit=query.limit)
        return responses.json(renderers.render_sessions(page))

    @openapi(
        {201: schema_serializers.NewSession},
        body=NewSessionBody,
        needs_token=False,
        # A session with a short `ttl` may expire before the response is ready.
        errors=(*LIMIT_ERRORS, *SESSION_ERRORS),
        parameters=[idempotency_key_parameter(MIN_SECRET_KEY_CHARS)],
    )
    def post(self, _: Request) -> HttpResponse:
        """Open a session."""
        token, session = sessions.open_session(
            address=client_ip.client_address(self.django_request.META),
            principal=auth.optional_principal(self.django_request.META),
            key=self.idempotency_key(is_secret=True),
            **self.body(NewSessionBody),
        )
        location = responses.location(f"/sessions/{session.id}")
        return responses.json(renderers.render_new_session(token, session), 201, location)


class Session(View):
    @openapi(
        {200: schema_serializers.Session, 304: None},
        errors=RATE_ERRORS,
        parameters=[AFTER, LIMIT, WAIT, IF_NONE_MATCH],
    )
    def get(self, _: Request, session_id: str) -> HttpResponse:
        """Get the session and its newest messages."""
        caller = self.reader(session_id)
        poll = PollRequest.parse(self.django_request)
        session = sessions.read_if_changed(
            caller, known=poll.known, after=poll.after, limit=poll.limit
        )
        return poll.response(session)

    @openapi({200: schema_serializers.Session}, body=SessionUpdateBody, errors=RATE_ERRORS)
    def patch(self, _: Request, session_id: str) -> HttpResponse:
        """Update fields of the session."""
        session = sessions.update(self.caller(session_id), self.body(SessionUpdateBody))
        return responses.json(renderers.render_session(session))

    @openapi({204: None})
    def delete(self, _: Request, session_id: str) -> HttpResponse:
        """Delete the session and all its data."""
        query_params.reject_query(self.django_request.GET)
        sessions.delete(self.caller(session_id))
        return responses.no_content()


class Reset(View):
    @openapi(
        {200: schema_serializers.Session},
        body=EmptyBody,
        errors=LIMIT_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Cancel open turns and delete all messages. The session and its token are kept."""
        caller = self.caller(session_id)
        self.body(EmptyBody)
        return responses.json(
            renderers.render_session(sessions.reset(caller, key=self.idempotency_key()))
        )


class Token(View):
    @openapi(
        {200: schema_serializers.NewToken},
        body=EmptyBody,
        errors=RATE_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Replace the session's token and renew its expiry. The old token stops working."""
        caller = self.caller(session_id)
        self.body(EmptyBody)
        token, expires_at = sessions.rotate_token(caller, key=self.idempotency_key())
        return responses.json(renderers.render_token(session_id, token, expires_at))


class Ticket(View):
    @openapi(
        {201: schema_serializers.NewTicket},
        body=EmptyBody,
        errors=RATE_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Create a ticket, which replaces the token in the URL of a WebSocket or event stream."""
        caller = self.caller(session_id)
        self.body(EmptyBody)
        ticket = tickets.issue(caller, key=self.idempotency_key())
        return responses.json(renderers.render_ticket(ticket, chat_settings.TICKET_TTL), 201)
