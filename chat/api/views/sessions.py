"""Sessions over REST."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.accounts import client_ip
from chat.api import headers, query_params, renderers, responses, schema_serializers
from chat.api.schema import (
    AFTER,
    FOLLOWED,
    IF_NONE_MATCH,
    LIMIT,
    LIMITED,
    OWNED,
    WAIT,
    documented,
    key,
)
from chat.api.serializers import NewSession, Nothing, SessionChanges
from chat.api.views.base import View
from chat.conversation import sessions, tickets
from chat.settings import chat_settings


class Sessions(View):
    """All sessions; nobody can list them here."""

    needs_token = False

    @documented(
        {201: schema_serializers.OpenedSession},
        body=NewSession,
        needs_token=False,
        refusals=(*LIMITED, *OWNED),  # it has ended, by its `ttl`, before all of this is done
        parameters=[key(headers.SECRET_KEY)],
    )
    def post(self, _: Request) -> HttpResponse:
        """Open a session."""
        token, session = sessions.open_session(
            address=client_ip.client_address(self.raw.META),
            key=self.key(is_secret=True),
            **self.body(NewSession),
        )
        location = {"Location": f"/sessions/{session.id}"}
        return responses.json(renderers.opened(token, session), 201, location)


class Session(View):
    """One session."""

    @documented(
        {200: schema_serializers.Session, 304: None},
        refusals=FOLLOWED,
        parameters=[AFTER, LIMIT, WAIT, IF_NONE_MATCH],
    )
    def get(self, _: Request, session_id: str) -> HttpResponse:
        """Read the session and its newest messages."""
        caller = self.owner(session_id)
        query = query_params.snapshot(self.raw.GET)
        known = headers.known_seq(self.raw.META, query.after, query.limit)
        session = sessions.read_if_changed(
            caller, known=known, after=query.after, limit=query.limit
        )
        if session is None:
            return responses.unchanged(known, query.after, query.limit)
        if headers.knows_any(self.raw.META):
            return responses.unchanged(session.seq, query.after, query.limit)
        return responses.tagged(renderers.snapshot(session), session.seq, query.after, query.limit)

    @documented({200: schema_serializers.Session}, body=SessionChanges)
    def patch(self, _: Request, session_id: str) -> HttpResponse:
        """Change fields of the session."""
        session = sessions.update(self.owner(session_id), self.body(SessionChanges))
        return responses.json(renderers.snapshot(session))

    @documented({204: None})
    def delete(self, _: Request, session_id: str) -> HttpResponse:
        """Remove every trace of the session."""
        query_params.nothing(self.raw.GET)
        sessions.delete(self.owner(session_id))
        return responses.nothing()


class Reset(View):
    """Clearing a session's history."""

    @documented(
        {200: schema_serializers.Session}, body=Nothing, refusals=LIMITED, parameters=[key()]
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Cancel what is open, clear the history, keep the session and its token."""
        caller = self.owner(session_id)
        self.body(Nothing)
        return responses.json(renderers.snapshot(sessions.reset(caller, key=self.key())))


class Token(View):
    """A session's token."""

    @documented({200: schema_serializers.NewToken}, body=Nothing, parameters=[key()])
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Give the session a new token and a new expiry; the old token dies."""
        caller = self.owner(session_id)
        self.body(Nothing)
        token, expires_at = sessions.rotate_token(caller, key=self.key())
        return responses.json(renderers.renewed(session_id, token, expires_at))


class Ticket(View):
    """A ticket, for where a token would be seen: in the URL of a WebSocket or an event stream."""

    @documented({201: schema_serializers.NewTicket}, body=Nothing, parameters=[key()])
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Get a ticket that opens one WebSocket or event stream, once."""
        caller = self.owner(session_id)
        self.body(Nothing)
        ticket = tickets.issue(caller, key=self.key())
        return responses.json(renderers.ticket(ticket, chat_settings.TICKET_TTL), 201)
