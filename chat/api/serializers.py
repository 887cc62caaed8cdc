"""Request bodies: their fields and limits."""

from typing import Any

from rest_framework import serializers

from chat.api.fields import (
    ContentField,
    MetadataField,
    StrictBooleanField,
    StrictCharField,
    StrictFloatField,
    StrictIntegerField,
)
from chat.api.strict_serializer import StrictSerializer
from chat.domain import MAX_CONTEXT_MESSAGES, Context, Feedback, OnBusy, Options, Rating
from chat.domain.files import (
    DETAILS,
    IMAGE_URL,
    MAX_IMAGE_URL_CHARS,
    MAX_PARTS,
    Part,
    PartType,
    is_image_url,
)
from chat.settings import chat_settings

MAX_NAME_CHARS = 200
MAX_WEBHOOK_URL_CHARS = 2048
FILE_ID = r"^file_[0-9a-f]{24}$"


class ContextBody(StrictSerializer):
    """The part of the history that is sent to the model. A change replaces both fields."""

    messages = StrictIntegerField(
        min_value=0,
        max_value=MAX_CONTEXT_MESSAGES,
        default=Context().messages,
        allow_null=True,
        help_text="Maximum number of messages, including the new one. Earlier ones are included"
        " in pairs of user message and reply.",
    )
    tokens = StrictIntegerField(
        min_value=0,
        max_value=10_000_000,
        default=Context().tokens,
        allow_null=True,
        help_text="Maximum number of tokens of the prompt; 0 means the model's limit.",
    )


class SessionUpdateBody(StrictSerializer):
    """Fields of a session that can be changed.

    `null` removes `system_prompt` and `webhook_url`, and resets `model` to the default. Other
    fields do not change with `null`.
    """

    null_changes = frozenset({"system_prompt", "webhook_url", "model"})

    name = StrictCharField(
        max_length=MAX_NAME_CHARS,
        allow_blank=True,
        allow_null=True,
        required=False,
        help_text="A display name.",
    )
    system_prompt = StrictCharField(
        max_bytes=chat_settings.MAX_SYSTEM_PROMPT_BYTES,
        max_length=chat_settings.MAX_SYSTEM_PROMPT_BYTES,
        allow_blank=True,
        allow_null=True,
        required=False,
        help_text="Instructions for the model, sent before the conversation.",
    )
    model = StrictCharField(
        max_length=100, allow_null=True, required=False, help_text="A name from GET /models."
    )
    context = ContextBody(required=False, allow_null=True)  # type: ignore[assignment]  # DRF's metaclass removes fields
    metadata = MetadataField(
        required=False,
        allow_null=True,
        help_text=f"Any JSON object of at most {chat_settings.MAX_METADATA_BYTES} bytes.",
    )
    webhook_url = StrictCharField(
        max_length=MAX_WEBHOOK_URL_CHARS,
        allow_null=True,
        required=False,
        help_text="An https URL that receives a signed POST at the end of each turn.",
    )
    ttl = StrictIntegerField(
        min_value=1,
        max_value=chat_settings.MAX_SESSION_TTL,
        required=False,
        allow_null=True,
        help_text="Seconds after the last activity until the session expires.",
    )


class NewSessionBody(SessionUpdateBody):
    """Fields of a new session; all are optional."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "context" in attrs:
            attrs["context"] = Context(**attrs["context"])
        return attrs


class OptionsBody(StrictSerializer):
    """Sampling options. The model's configuration applies to those that are missing or null."""

    max_tokens = StrictIntegerField(
        min_value=1, max_value=1_000_000, required=False, allow_null=True
    )
    temperature = StrictFloatField(min_value=0, max_value=2, required=False, allow_null=True)
    top_p = StrictFloatField(min_value=0.001, max_value=1, required=False, allow_null=True)
    stop = serializers.ListField(
        child=StrictCharField(max_length=100),
        max_length=4,
        required=False,
        allow_null=True,
        help_text="Strings that end the reply.",
    )
    seed = StrictIntegerField(min_value=0, max_value=2**53 - 1, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> Options:
        return Options(**{**attrs, "stop": tuple(attrs.get("stop") or ())})


class RegenerateBody(StrictSerializer):
    """Options of another reply."""

    options = OptionsBody(required=False, allow_null=True)


class PartBody(StrictSerializer):
    """A part of a message."""

    type = serializers.ChoiceField([kind.value for kind in PartType])
    text = ContentField(
        max_bytes=chat_settings.MAX_CONTENT_BYTES,
        max_length=chat_settings.MAX_CONTENT_CHARS,
        required=False,
        allow_null=True,
        help_text="Of a text.",
    )
    file_id = serializers.RegexField(
        FILE_ID, min_length=1, required=False, allow_null=True, help_text="Of an image or a file."
    )
    url = serializers.RegexField(
        IMAGE_URL,
        min_length=1,
        max_length=MAX_IMAGE_URL_CHARS,
        required=False,
        allow_null=True,
        help_text="Of an image, instead of `file_id`, if the model accepts URLs.",
    )
    detail = serializers.ChoiceField(
        [*DETAILS], required=False, allow_null=True, help_text="Of an image."
    )

    def validate(self, attrs: dict[str, Any]) -> Part:
        kind = attrs["type"]
        sources = attrs.keys() & {"text", "file_id", "url"}
        allowed = {"text": {"text"}, "image": {"file_id", "url"}, "file": {"file_id"}}[kind]
        if len(sources) != 1 or not sources <= allowed:
            raise serializers.ValidationError({"type": f"Requires one of {sorted(allowed)}."})
        is_image_url(attrs.get("url") or "")  # raises an error for internal hosts
        return Part(**{**attrs, "type": PartType(kind)})


class NewMessageBody(RegenerateBody):
    """A new user message."""

    content = ContentField(
        max_bytes=chat_settings.MAX_CONTENT_BYTES,
        max_length=chat_settings.MAX_CONTENT_CHARS,
        required=False,
        allow_null=True,
        help_text="Required, unless there are `parts` or `continue` is true.",
    )
    parts = serializers.ListField(
        child=PartBody(),
        min_length=1,
        max_length=MAX_PARTS,
        required=False,
        allow_null=True,
        help_text="Instead of `content`: texts, images and files.",
    )
    session = StrictCharField(
        required=False,
        allow_null=True,
        help_text="Id of the session. It must match the token.",
    )
    replaces = StrictCharField(
        max_length=32,
        required=False,
        allow_null=True,
        help_text="Id of the user message of the last turn: the new message is an edited version of"
        " it. The old message and its replies are kept, but the model no longer reads them.",
    )
    on_busy = serializers.ChoiceField(
        [choice.value for choice in OnBusy],
        default=OnBusy.ENQUEUE.value,
        allow_null=True,
        help_text="What happens if a turn of the session is queued or running: the message is"
        " queued, rejected, or replaces that turn.",
    )
    deadline = StrictFloatField(
        min_value=1,
        max_value=chat_settings.TURN_DEADLINE,
        required=False,
        allow_null=True,
        help_text="Seconds within which the turn must end.",
    )

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a keyword of Python."""
        fields: dict[str, Any] = super().get_fields()
        fields["continue"] = StrictBooleanField(
            source="is_continuation",
            required=False,
            allow_null=True,
            help_text="Instead of `content`: ask for the rest of a reply that ended at its maximum"
            " length (`finish_reason` is `length`).",
        )
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("content", "parts") if name in attrs]
        if len(given) != (0 if attrs.get("is_continuation", False) else 1):
            raise serializers.ValidationError({"content": "Set either content, parts or continue."})
        if "replaces" in attrs and not given:
            raise serializers.ValidationError({"replaces": "Requires content or parts."})
        if "parts" in attrs:
            attrs |= _with_content(attrs["parts"])
        return attrs

    def validate_on_busy(self, value: str) -> OnBusy:
        return OnBusy(value)


def _with_content(parts: list[Part]) -> dict[str, Any]:
    """Return the text of parts, and the parts if they have more than text."""
    texts = [part.text for part in parts if part.type is PartType.TEXT]
    content = "\n".join(texts)
    if len(content.encode()) > chat_settings.MAX_CONTENT_BYTES:
        raise serializers.ValidationError(
            {"parts": f"Must have at most {chat_settings.MAX_CONTENT_BYTES} bytes of text."}
        )
    return {"content": content, "parts": parts if len(texts) < len(parts) else []}


class FeedbackBody(StrictSerializer):
    """Feedback on a reply."""

    rating = serializers.ChoiceField([rating.value for rating in Rating])
    comment = StrictCharField(
        max_length=chat_settings.MAX_COMMENT_CHARS,
        allow_blank=True,
        allow_null=True,
        default="",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"feedback": Feedback(rating=Rating(attrs["rating"]), comment=attrs["comment"])}


class EmptyBody(StrictSerializer):
    """An empty object."""


# All bodies, for the schema.
BODIES = (
    *(ContextBody, SessionUpdateBody, NewSessionBody),
    *(OptionsBody, RegenerateBody, PartBody, NewMessageBody, FeedbackBody, EmptyBody),
)
