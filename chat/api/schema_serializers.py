"""Response bodies in the OpenAPI schema. `chat.api.renderers` writes the actual JSON."""

from typing import Any

from rest_framework import serializers

from chat.api.exception_handler import STATUSES
from chat.domain import FinishReason, Rating, Role, Status, UsageSource, WaitReason
from chat.domain.files import PartType

# To clients, a session with a running or queued turn is busy. Staff see which of the two.
SESSION_STATUSES = ["idle", "busy", "expired"]
MESSAGE_STATUSES = [status.value for status in Status]
CODES = list(STATUSES)
PART_TYPES = [kind.value for kind in PartType]
ITEM_TYPES = ["reasoning", "text"]


class Output(serializers.Serializer[Any]):
    """A JSON object of a response. All fields are always present."""


class Usage(Output):
    """Token usage of a reply."""

    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField(
        required=False, help_text="Missing in replies of older versions."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]  # DRF's metaclass removes fields
        [source.value for source in UsageSource]
    )


class ReplyError(Output):
    """Why a reply, or its last attempt, failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class Wait(Output):
    """Why a reply is still queued."""

    reason = serializers.ChoiceField([reason.value for reason in WaitReason])
    retry_at = serializers.FloatField(allow_null=True)
    ahead = serializers.IntegerField(
        help_text="Sessions that call the model before this one, at most."
    )
    position = serializers.IntegerField(help_text="Number of earlier turns in the session.")


class Feedback(Output):
    """Feedback on a reply."""

    rating = serializers.ChoiceField([rating.value for rating in Rating])
    comment = serializers.CharField()


class File(Output):
    """A file of a session."""

    id = serializers.CharField()
    media_type = serializers.CharField(help_text="Detected from the content.")
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    filename = serializers.CharField()


class Part(Output):
    """A part of a user message."""

    type = serializers.ChoiceField(PART_TYPES)
    text = serializers.CharField(required=False)
    file_id = serializers.CharField(required=False)
    filename = serializers.CharField(required=False)
    media_type = serializers.CharField(required=False)
    size = serializers.IntegerField(required=False)
    url = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class Item(Output):
    """A part of a reply: reasoning or text."""

    type = serializers.ChoiceField(ITEM_TYPES)
    text = serializers.CharField()


class Message(Output):
    """A message. Times are seconds since the epoch (UTC)."""

    seq = serializers.IntegerField(help_text="Seq of the last event that changed the message.")
    status = serializers.ChoiceField(MESSAGE_STATUSES)
    content = serializers.CharField(help_text="Of a reply in progress, the text so far.")
    parts = Part(many=True, required=False, help_text="Of a user message with more than text.")
    items = Item(
        many=True,
        required=False,
        help_text="Of a reply with reasoning: what the model has sent, in order.",
    )
    id = serializers.CharField()
    role = serializers.ChoiceField([role.value for role in Role])
    created_at = serializers.FloatField()
    started_at = serializers.FloatField(allow_null=True)
    completed_at = serializers.FloatField(allow_null=True)
    reply_to = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()
    model = serializers.CharField(allow_null=True)
    finish_reason = serializers.ChoiceField(
        [reason.value for reason in FinishReason], allow_null=True
    )
    usage = Usage(allow_null=True)
    error = ReplyError(allow_null=True)
    wait = Wait(allow_null=True)
    feedback = Feedback(allow_null=True)
    replaces = serializers.CharField(
        required=False,
        help_text="Id of the message that this one is an edited version of; missing in others.",
    )


class Context(Output):
    """The part of the history that is sent to the model."""

    messages = serializers.IntegerField()
    tokens = serializers.IntegerField()


class Session(Output):
    """A session and its newest messages. Times are seconds since the epoch (UTC)."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(SESSION_STATUSES)
    model = serializers.CharField()
    system_prompt = serializers.CharField(allow_null=True)
    context = Context()  # type: ignore[assignment]  # DRF's metaclass removes fields
    metadata = serializers.DictField()
    webhook_url = serializers.CharField(
        allow_null=True, help_text="Set to null when the receiver responds with 410 Gone."
    )
    created_at = serializers.FloatField()
    last_active_at = serializers.FloatField()
    expires_at = serializers.FloatField()
    seq = serializers.IntegerField(
        help_text="Seq of the newest event. Send it as `after` to get later changes."
    )
    messages = Message(many=True)
    has_more = serializers.BooleanField(help_text="Whether there are older messages.")
    next_poll = serializers.FloatField(help_text="Recommended seconds until the next poll.")


class NewToken(Output):
    """The new token of a session."""

    id = serializers.CharField()
    token = serializers.CharField()
    expires_at = serializers.FloatField()


class NewTicket(Output):
    """A ticket, which replaces the token in a URL."""

    ticket = serializers.CharField(help_text="Opens one WebSocket or event stream.")
    expires_in = serializers.FloatField(help_text="Seconds until the ticket expires.")


class NewSession(Session):
    """A new session and its token. Keep the token: it cannot be retrieved later."""

    token = serializers.CharField()


class AcceptedTurn(Output):
    """An accepted message and its reply, which is queued."""

    message = Message(allow_null=True, help_text="null if a reset has deleted it since.")
    reply = Message()
    queue_position = serializers.IntegerField(help_text="Number of earlier turns in the session.")


class MessagePage(Output):
    """A page of messages."""

    data = Message(many=True)  # type: ignore[assignment]  # DRF's metaclass removes fields
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField(
        help_text="Whether there are more messages in the requested order."
    )


class SessionSummary(Output):
    """A session in a list."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(["idle", "busy"])
    model = serializers.CharField()
    last_active_at = serializers.FloatField()


class SessionPage(Output):
    """A page of a user's sessions, most recently active first."""

    data = SessionSummary(many=True)  # type: ignore[assignment]  # DRF's metaclass removes fields
    next_before = serializers.CharField(
        allow_null=True, help_text="`before` of the next page; null at the end."
    )


class ErasedUser(Output):
    """What was deleted."""

    deleted_sessions = serializers.IntegerField()


class Model(Output):
    """A model that a session can use."""

    name = serializers.CharField()
    is_default = serializers.BooleanField()
    context_tokens = serializers.IntegerField(help_text="Maximum tokens of prompt and reply.")
    max_tokens = serializers.IntegerField(help_text="Maximum tokens of a reply.")
    streams = serializers.BooleanField(help_text="Whether the text of a reply is streamed.")
    inputs = serializers.ListField(
        child=serializers.ChoiceField([kind.value for kind in PartType]),
        help_text="What messages may contain.",
    )


class ModelList(Output):
    """All configured models."""

    data = Model(many=True)  # type: ignore[assignment]  # DRF's metaclass removes fields


class Health(Output):
    """The result of a health check."""

    status = serializers.ChoiceField(["ok"])


class ErrorDetail(Output):
    """Details of an error."""

    code = serializers.ChoiceField(CODES)
    message = serializers.CharField()
    param = serializers.CharField(
        allow_null=True, help_text="The field or parameter that is not valid, as a dotted path."
    )
    request_id = serializers.CharField(help_text="Identifies the request in the logs.")
    retry_after = serializers.IntegerField(
        allow_null=True, help_text="Seconds to wait before a retry, with 429 and 503."
    )


class Error(Output):
    """The body of every error response."""

    error = ErrorDetail()
    detail = serializers.CharField(help_text="The same as `error.message`.")
