"""Request bodies: what may stand in them, within which bounds."""

from functools import cache
from typing import Any

from rest_framework import serializers

from chat.api.fields import (
    ContentField,
    MetadataField,
    StrictCharField,
    StrictFloatField,
    StrictIntegerField,
)
from chat.domain import Context, Feedback, OnBusy, Options, Rating
from chat.settings import chat_settings

# Most code points of a session's name.
MAX_NAME_CHARS = 200
# Longest URL of a webhook.
MAX_WEBHOOK_URL_CHARS = 2048


class StrictSerializer(serializers.Serializer[Any]):
    """An object of known fields only: what Parley would not act on is refused, not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            name = min(unknown)
            raise serializers.ValidationError({name: ["There is no such field to set."]})
        return super().to_internal_value(data)


class ContextBody(StrictSerializer):
    """What of the history the model is shown; a change replaces both, by defaults if need be."""

    messages = StrictIntegerField(
        min_value=0,
        max_value=chat_settings.MAX_PAGE_LIMIT,
        default=Context().messages,
        help_text="Most messages, the one to be answered among them; the earlier ones are whole"
        " turns of two.",
    )
    tokens = StrictIntegerField(
        min_value=0,
        max_value=10_000_000,
        default=Context().tokens,
        help_text="Most tokens of the whole prompt; 0 leaves it to the model's own bound.",
    )


class SessionUpdateBody(StrictSerializer):
    """The fields of a session that its owner may change.

    `null` takes system_prompt and webhook_url away and goes back to the default model; the others
    refuse it.
    """

    name = StrictCharField(
        max_length=MAX_NAME_CHARS, allow_blank=True, required=False, help_text="For your own lists."
    )
    system_prompt = StrictCharField(
        max_bytes=chat_settings.MAX_CONTENT_BYTES,
        max_length=chat_settings.MAX_CONTENT_CHARS,
        allow_blank=True,
        allow_null=True,
        required=False,
        help_text="What the model is told before the conversation.",
    )
    model = StrictCharField(
        max_length=100, allow_null=True, required=False, help_text="A name that GET /models gives."
    )
    context = ContextBody(required=False)  # type: ignore[assignment]  # DRF takes fields away
    metadata = MetadataField(
        required=False,
        help_text=f"Any JSON object, at most {chat_settings.MAX_METADATA_BYTES} bytes.",
    )
    webhook_url = StrictCharField(
        max_length=MAX_WEBHOOK_URL_CHARS,
        allow_null=True,
        required=False,
        help_text="An https URL that is told of the end of each turn, by a signed POST.",
    )
    ttl = StrictIntegerField(
        min_value=1,
        max_value=chat_settings.MAX_SESSION_TTL,
        required=False,
        help_text="Seconds that the session lives after its last activity.",
    )


class NewSessionBody(SessionUpdateBody):
    """What a session is opened with; all of it has defaults."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Give the context as its type."""
        if "context" in attrs:
            attrs["context"] = Context(**attrs["context"])
        return attrs


class OptionsBody(StrictSerializer):
    """How the model is asked to write; what is left out is the model's own choice."""

    max_tokens = StrictIntegerField(min_value=1, max_value=1_000_000, required=False)
    temperature = StrictFloatField(min_value=0, max_value=2, required=False)
    top_p = StrictFloatField(min_value=0.001, max_value=1, required=False)
    stop = serializers.ListField(
        child=StrictCharField(max_length=100),
        max_length=4,
        required=False,
        help_text="Where a reply ends.",
    )
    seed = StrictIntegerField(min_value=0, max_value=2**53 - 1, required=False)

    def validate(self, attrs: dict[str, Any]) -> Options:
        """Give the options as their type."""
        return Options(**{**attrs, "stop": tuple(attrs.get("stop", ()))})


class RegenerateBody(StrictSerializer):
    """How another reply is asked for."""

    options = OptionsBody(required=False)


class NewMessageBody(RegenerateBody):
    """A user message to be answered."""

    content = ContentField(
        max_bytes=chat_settings.MAX_CONTENT_BYTES, max_length=chat_settings.MAX_CONTENT_CHARS
    )
    session = StrictCharField(
        required=False, help_text="Id of the session; when given, it must be the token's own."
    )
    on_busy = serializers.ChoiceField(
        [choice.value for choice in OnBusy],
        default=OnBusy.ENQUEUE.value,
        help_text="What to do while a turn of the session is queued or running.",
    )
    deadline = StrictFloatField(
        min_value=1,
        max_value=chat_settings.TURN_DEADLINE,
        required=False,
        help_text="Seconds within which the turn must be over.",
    )

    def validate_on_busy(self, value: str) -> OnBusy:
        """Give the choice as its type."""
        return OnBusy(value)


class FeedbackBody(StrictSerializer):
    """What the owner thinks of a reply."""

    rating = serializers.ChoiceField([rating.value for rating in Rating])
    comment = StrictCharField(
        max_length=chat_settings.MAX_COMMENT_CHARS,
        allow_blank=True,
        default="",
        help_text="In words.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Give the rating as its type."""
        return {"feedback": Feedback(rating=Rating(attrs["rating"]), comment=attrs["comment"])}


class EmptyBody(StrictSerializer):
    """An empty object."""


# All of them, for the schema.
BODIES = (
    *(ContextBody, SessionUpdateBody, NewSessionBody),
    *(OptionsBody, RegenerateBody, NewMessageBody, FeedbackBody, EmptyBody),
)


@cache
def _serializer(kind: type[StrictSerializer]) -> StrictSerializer:
    """Return the one instance of a process: building the fields costs more than a check by them.

    Checking keeps nothing in it, so threads may share it.
    """
    return kind()


def validate(kind: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """Return what a request's body holds, in the types of the domain and with defaults.

    Raises:
        ValidationError: DRF's, naming the first field that is wrong.
    """
    found: dict[str, Any] = _serializer(kind).run_validation(data)
    return found
