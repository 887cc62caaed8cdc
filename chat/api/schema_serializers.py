"""The shapes of answers, for the schema alone: `chat.api.renderers` writes them."""

from typing import Any

from rest_framework import serializers

from chat.api.exception_handler import STATUSES
from chat.domain import FinishReason, Rating, Role, Status, UsageSource, WaitReason

SESSION_STATUSES = ["idle", "busy", "expired"]
MESSAGE_STATUSES = [status.value for status in Status]
CODES = list(STATUSES)


class Output(serializers.Serializer[Any]):
    """An object of an answer; each field is always there unless it says otherwise."""


class Usage(Output):
    """Tokens that a reply took."""

    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    source = serializers.ChoiceField(  # type: ignore[assignment]  # DRF takes fields away
        [source.value for source in UsageSource]
    )


class ReplyError(Output):
    """Why a reply failed, or the last attempt at it."""

    code = serializers.CharField()
    message = serializers.CharField()


class Wait(Output):
    """Why a queued reply is not being written yet."""

    reason = serializers.ChoiceField([reason.value for reason in WaitReason])
    retry_at = serializers.FloatField(allow_null=True)
    position = serializers.IntegerField(help_text="Turns of the session before this one.")


class Feedback(Output):
    """What the session's owner thinks of a reply."""

    rating = serializers.ChoiceField([rating.value for rating in Rating])
    comment = serializers.CharField()


class Message(Output):
    """One message. Times are seconds since the epoch, UTC."""

    seq = serializers.IntegerField(help_text="Number of the event that changed it last.")
    status = serializers.ChoiceField(MESSAGE_STATUSES)
    content = serializers.CharField(help_text="A reply that is being written: its text so far.")
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


class Context(Output):
    """What of the history the model is shown."""

    messages = serializers.IntegerField()
    tokens = serializers.IntegerField()


class Session(Output):
    """A session and its newest messages. Times are seconds since the epoch, UTC."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(SESSION_STATUSES)
    model = serializers.CharField()
    system_prompt = serializers.CharField(allow_null=True)
    context = Context()  # type: ignore[assignment]  # DRF takes fields away
    metadata = serializers.DictField()
    webhook_url = serializers.CharField(
        allow_null=True, help_text="null also after its receiver has answered 410."
    )
    created_at = serializers.FloatField()
    last_active_at = serializers.FloatField()
    expires_at = serializers.FloatField()
    seq = serializers.IntegerField(help_text="Number of the newest event: the cursor of `after`.")
    messages = Message(many=True)
    has_more = serializers.BooleanField(help_text="There are older messages than these.")
    next_poll = serializers.FloatField(help_text="Seconds after which to poll again.")


class NewToken(Output):
    """A session's new token."""

    id = serializers.CharField()
    token = serializers.CharField()
    expires_at = serializers.FloatField()


class NewTicket(Output):
    """What stands for the token in a URL."""

    ticket = serializers.CharField(help_text="Opens one WebSocket or event stream.")
    expires_in = serializers.FloatField(help_text="Seconds within which it must be used.")


class NewSession(Session):
    """A new session and its token, which nobody can look up later."""

    token = serializers.CharField()


class AcceptedTurn(Output):
    """A message that was accepted, and the reply that will be written to it."""

    message = Message(allow_null=True, help_text="null when a reset has cleared it since.")
    reply = Message()
    queue_position = serializers.IntegerField(help_text="Turns of the session before this one.")


class MessagePage(Output):
    """Part of the history."""

    data = Message(many=True)  # type: ignore[assignment]  # DRF takes fields away
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField(help_text="There are more in the order that was read.")


class Model(Output):
    """A model that sessions may name."""

    name = serializers.CharField()
    is_default = serializers.BooleanField()
    context_tokens = serializers.IntegerField(help_text="Most of prompt and reply together.")
    max_tokens = serializers.IntegerField(help_text="Most of a reply.")
    streams = serializers.BooleanField(help_text="Replies grow piece by piece.")


class ModelList(Output):
    """All models."""

    data = Model(many=True)  # type: ignore[assignment]  # DRF takes fields away


class Health(Output):
    """A sign of life."""

    status = serializers.ChoiceField(["ok"])


class ErrorDetail(Output):
    """What went wrong."""

    code = serializers.ChoiceField(CODES)
    message = serializers.CharField()
    param = serializers.CharField(allow_null=True, help_text="Dotted path of what is wrong.")
    request_id = serializers.CharField(help_text="By which the logs can be searched.")
    retry_after = serializers.IntegerField(allow_null=True, help_text="Seconds; on 429 and 503.")


class Error(Output):
    """Every refusal and failure."""

    error = ErrorDetail()
    detail = serializers.CharField(help_text="The message again.")
