"""Messages and their turns over REST."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import auth, query_params, renderers, responses, schema_serializers
from chat.api.schema import CONFLICT, LIMITED, PAGE, documented, key
from chat.api.serializers import FeedbackBody, NewMessage, Nothing, Regeneration
from chat.api.views.base import View
from chat.conversation import turns
from chat.conversation.messages import get_message, list_messages, set_feedback
from chat.domain import Accepted, Caller


def accepted(session_id: str, turn: Accepted) -> HttpResponse:
    """Return 202 with both messages and the place where the reply will be found."""
    reply_id = renderers.id_of(turn.reply).decode()
    location = {"Location": f"/sessions/{session_id}/messages/{reply_id}"}
    return responses.json(renderers.accepted(turn), 202, location)


class Submitting(View):
    """What the two ways to post a message share."""

    def submit(self, caller: Caller) -> HttpResponse:
        """Accept the message of the request's body."""
        body = self.body(NewMessage)
        owner = self.owner(body.pop("session", caller.session_id))
        turn = turns.submit(caller=owner, key=self.key(), request_id=self.request_id, **body)
        return accepted(caller.session_id, turn)


class Inbox(Submitting):
    """Where messages are posted by token alone."""

    @documented(
        {202: schema_serializers.AcceptedTurn},
        body=NewMessage,
        refusals=LIMITED,
        parameters=[key()],
    )
    def post(self, _: Request) -> HttpResponse:
        """Post a message to the token's session."""
        return self.submit(auth.bearer(self.raw.META))


class Messages(Submitting):
    """The messages of a session."""

    @documented({200: schema_serializers.MessagePage}, parameters=PAGE)
    def get(self, _: Request, session_id: str) -> HttpResponse:
        """Read a page of the history."""
        caller = self.owner(session_id)
        query = query_params.page(self.raw.GET)
        found = list_messages(
            caller,
            before=query.before,
            after=query.after,
            limit=query.limit,
            newest_first=query.newest_first,
        )
        return responses.json(renderers.page(found))

    @documented(
        {202: schema_serializers.AcceptedTurn},
        body=NewMessage,
        refusals=LIMITED,
        parameters=[key()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Post a message to the session."""
        return self.submit(self.owner(session_id))


class Message(View):
    """One message."""

    @documented({200: schema_serializers.Message})
    def get(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Read one message."""
        caller = self.owner(session_id)
        query_params.nothing(self.raw.GET)
        return responses.json(get_message(caller, message_id))


class Cancel(View):
    """Ending a turn early."""

    @documented(
        {200: schema_serializers.Message, 202: schema_serializers.Message},
        body=Nothing,
        parameters=[key()],
    )
    def post(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Cancel the turn of a reply or of its user message; what was said of it stays."""
        caller = self.owner(session_id)
        self.body(Nothing)
        self.key()
        cancelled = turns.cancel(caller=caller, message_id=message_id)
        return responses.json(cancelled.reply, 200 if cancelled.is_final else 202)


class Feedback(View):
    """What the owner thinks of a reply that is over."""

    @documented(
        {200: schema_serializers.Message}, body=FeedbackBody, refusals=CONFLICT, parameters=[key()]
    )
    def post(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Rate a reply, or rate it anew."""
        caller = self.owner(session_id)
        self.key()
        return responses.json(set_feedback(caller, message_id, **self.body(FeedbackBody)))

    @documented({200: schema_serializers.Message}, refusals=CONFLICT)
    def delete(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Take the rating of a reply away."""
        caller = self.owner(session_id)
        query_params.nothing(self.raw.GET)
        return responses.json(set_feedback(caller, message_id, None))


class Regenerate(View):
    """Replying anew."""

    @documented(
        {202: schema_serializers.AcceptedTurn},
        body=Regeneration,
        refusals=LIMITED,
        parameters=[key()],
    )
    def post(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Reply anew to the last user message; the earlier reply stays."""
        caller = self.owner(session_id)
        turn = turns.regenerate(
            caller=caller,
            message_id=message_id,
            key=self.key(),
            request_id=self.request_id,
            **self.body(Regeneration),
        )
        return accepted(session_id, turn)
