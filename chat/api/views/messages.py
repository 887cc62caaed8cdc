"""Messages and turns."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import auth, query_params, renderers, responses, schema_serializers
from chat.api.schema import (
    LIMIT_ERRORS,
    PAGE_PARAMETERS,
    RATE_ERRORS,
    idempotency_key_parameter,
    openapi,
)
from chat.api.serializers import EmptyBody, FeedbackBody, NewMessageBody, RegenerateBody
from chat.api.submission import accepted_response, submit_arguments
from chat.api.views.base import View
from chat.conversation import turns
from chat.conversation.messages import get_message, list_messages, set_feedback
from chat.domain import Caller, Principal


class SubmitView(View):
    """The base of the two views that accept messages."""

    def submit(self, sender: Caller | Principal, session_id: str = "") -> HttpResponse:
        """Submit the message of the body to the session of the path, body or token."""
        arguments = submit_arguments(
            self.django_request, sender, lambda: self.request.data, session_id
        )
        return accepted_response(turns.submit(**arguments))


class PostMessage(SubmitView):
    """The messages of the token's session."""

    @openapi(
        {202: schema_serializers.AcceptedTurn},
        body=NewMessageBody,
        errors=LIMIT_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request) -> HttpResponse:
        """Post a message to the session that the token or `session` names."""
        return self.submit(auth.authenticate(self.django_request.META))


class Messages(SubmitView):
    """The messages of a session."""

    @openapi(
        {200: schema_serializers.MessagePage},
        errors=RATE_ERRORS,
        parameters=PAGE_PARAMETERS,
    )
    def get(self, _: Request, session_id: str) -> HttpResponse:
        """List messages, in pages."""
        caller = self.reader(session_id)
        query = query_params.page_query(self.django_request.GET)
        page = list_messages(
            caller,
            before=query.before,
            after=query.after,
            limit=query.limit,
            newest_first=query.newest_first,
        )
        return responses.json(renderers.render_page(page))

    @openapi(
        {202: schema_serializers.AcceptedTurn},
        body=NewMessageBody,
        errors=LIMIT_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Post a message to the session."""
        return self.submit(self.caller(session_id), session_id)


class Message(View):
    @openapi({200: schema_serializers.Message}, errors=RATE_ERRORS)
    def get(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Get one message."""
        caller = self.reader(session_id)
        query_params.reject_query(self.django_request.GET)
        return responses.json(get_message(caller, message_id))


class Cancel(View):
    @openapi(
        {200: schema_serializers.Message, 202: schema_serializers.Message},
        body=EmptyBody,
        errors=RATE_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Cancel a turn, by the id of its message or reply. The text written so far is kept."""
        caller = self.reader(session_id)
        self.body(EmptyBody)
        self.idempotency_key()
        cancelled = turns.cancel(caller=caller, message_id=message_id)
        return responses.json(cancelled.reply, 200 if cancelled.has_ended else 202)


class Feedback(View):
    @openapi(
        {200: schema_serializers.Message},
        body=FeedbackBody,
        errors=LIMIT_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Rate a finished reply, or replace its rating."""
        caller = self.caller(session_id)
        self.idempotency_key()
        return responses.json(set_feedback(caller, message_id, **self.body(FeedbackBody)))

    @openapi({200: schema_serializers.Message}, errors=LIMIT_ERRORS)
    def delete(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Remove the rating of a reply."""
        caller = self.caller(session_id)
        query_params.reject_query(self.django_request.GET)
        return responses.json(set_feedback(caller, message_id, None))


class Regenerate(View):
    @openapi(
        {202: schema_serializers.AcceptedTurn},
        body=RegenerateBody,
        errors=LIMIT_ERRORS,
        parameters=[idempotency_key_parameter()],
    )
    def post(self, _: Request, session_id: str, message_id: str) -> HttpResponse:
        """Write another reply to the last user message. The earlier reply is kept."""
        caller = self.caller(session_id)
        turn = turns.regenerate(
            caller=caller,
            message_id=message_id,
            key=self.idempotency_key(),
            request_id=self.request_id,
            **self.body(RegenerateBody),
        )
        return accepted_response(turn)
