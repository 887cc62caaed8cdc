"""Sessions over REST."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import answers, headers, outputs, queries, shapes
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
from chat.conf import knobs
from chat.services import addresses, sessions, tickets


class Sessions(View):
    """All sessions; nobody can list them here."""

    needs_token = False

    @documented(
        {201: outputs.OpenedSession},
        body=NewSession,
        needs_token=False,
        refusals=(*LIMITED, *OWNED),  # it has ended, by its `ttl`, before all of this is done
        parameters=[key(headers.SECRET_KEY)],
    )
    def post(self, _: Request) -> HttpResponse:
        """Open a session."""
        token, session = sessions.open_session(
            address=addresses.client(self.raw.META),
            key=self.key(is_secret=True),
            **self.body(NewSession),
        )
        location = {"Location": f"/sessions/{session.id}"}
        return answers.json(shapes.opened(token, session), 201, location)


class Session(View):
    """One session."""

    @documented(
        {200: outputs.Session, 304: None},
        refusals=FOLLOWED,
        parameters=[AFTER, LIMIT, WAIT, IF_NONE_MATCH],
    )
    def get(self, _: Request, session_id: str) -> HttpResponse:
        """Read the session and its newest messages."""
        caller = self.owner(session_id)
        query = queries.snapshot(self.raw.GET)
        known = headers.known_seq(self.raw.META, query.after, query.limit)
        session = sessions.read_if_changed(
            caller, known=known, after=query.after, limit=query.limit
        )
        if session is None:
            return answers.unchanged(known, query.after, query.limit)
        if headers.knows_any(self.raw.META):
            return answers.unchanged(session.seq, query.after, query.limit)
        return answers.tagged(shapes.snapshot(session), session.seq, query.after, query.limit)

    @documented({200: outputs.Session}, body=SessionChanges)
    def patch(self, _: Request, session_id: str) -> HttpResponse:
        """Change fields of the session."""
        session = sessions.change(self.owner(session_id), self.body(SessionChanges))
        return answers.json(shapes.snapshot(session))

    @documented({204: None})
    def delete(self, _: Request, session_id: str) -> HttpResponse:
        """Remove every trace of the session."""
        queries.nothing(self.raw.GET)
        sessions.delete(self.owner(session_id))
        return answers.nothing()


class Reset(View):
    """Clearing a session's history."""

    @documented({200: outputs.Session}, body=Nothing, refusals=LIMITED, parameters=[key()])
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Cancel what is open, clear the history, keep the session and its token."""
        caller = self.owner(session_id)
        self.body(Nothing)
        return answers.json(shapes.snapshot(sessions.reset(caller, key=self.key())))


class Token(View):
    """A session's token."""

    @documented({200: outputs.NewToken}, body=Nothing, parameters=[key()])
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Give the session a new token and a new expiry; the old token dies."""
        caller = self.owner(session_id)
        self.body(Nothing)
        token, expires_at = sessions.renew_token(caller, key=self.key())
        return answers.json(shapes.renewed(session_id, token, expires_at))


class Ticket(View):
    """A ticket, for where a token would be seen: in the URL of a WebSocket or an event stream."""

    @documented({201: outputs.NewTicket}, body=Nothing, parameters=[key()])
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Get a ticket that opens one WebSocket or event stream, once."""
        caller = self.owner(session_id)
        self.body(Nothing)
        ticket = tickets.issue(caller, key=self.key())
        return answers.json(shapes.ticket(ticket, knobs.TICKET_TTL), 201)
