"""Requests of responses.

| field | effect |
|---|---|
| `input` | the message to answer; before it, in a new session, the history |
| `instructions` | after the system prompt, for this turn only |
| system and developer messages | the system prompt of a new session; else instructions |
| `conversation`, `previous_response_id` | the session |
| `max_output_tokens`, `temperature`, `top_p`, `text.format`, `reasoning.effort`, `truncation` \
| options of the turn |
| `metadata`, `prompt_cache_key`, and all above | kept with the reply, and returned with it |
| `stream`, `background`, `store` | the form and the lifetime of the answer |
| `user`, `safety_identifier` | the user, for keys that may act for users |
| `include`, `stream_options`, `service_tier` auto, `top_logprobs` 0, `tools` [], ... | none |
| all others | 400 `unsupported_parameter` |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.domain import InputMessage, Options, Role
from chat.domain.errors import InvalidRequest, UnsupportedContent
from chat.openai_api import ids
from chat.openai_api.content import check_number_of_parts, read_message
from chat.openai_api.history import system_text
from chat.openai_api.ids import MessageRef
from chat.openai_api.options import (
    EFFORTS,
    MAX_LABEL_CHARS,
    MAX_TOKENS,
    read_format,
    read_sampling,
    read_user,
)
from chat.protocols.fields import Fields, check_user_text
from chat.settings import chat_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """A response to create."""

    # The user message to answer.
    message: InputMessage
    # The messages before it.
    earlier: Sequence[InputMessage]
    instructions: str | None
    model: str | None
    options: Options
    is_stream: bool
    is_background: bool
    is_stored: bool
    # Id of the conversation's session; "" for none.
    session_id: str
    previous: MessageRef | None
    user: str | None
    # What the response shows of the request.
    shown: Mapping[str, Any]

    @property
    def system_text(self) -> str:
        """Return the text of system messages."""
        return system_text(self.earlier)

    @property
    def is_untruncated(self) -> bool:
        """Whether the turn fails if its history is too long."""
        return bool(self.shown.get("truncation") == "disabled")


def parse_response_request(body: Mapping[str, Any]) -> ResponseRequest:
    """Return the request of a JSON object.

    Raises:
        InvalidRequest, UnsupportedParameter, UnsupportedContent
        NotFound: the id of a conversation or response cannot exist.
    """
    fields = Fields(body)
    *earlier, last = read_input(fields)
    if last.role is not Role.USER:
        raise InvalidRequest("The last item of `input` must be a user message.", param="input")
    if not last.parts:
        check_user_text(last.text, "input")
    conversation, previous = _read_conversation(fields), fields.text("previous_response_id")
    if conversation and previous:
        raise fields.invalid("previous_response_id", "and `conversation` exclude each other")
    shown = _read_shown(fields) | {"previous_response_id": previous}
    is_background, is_stored = fields.boolean("background"), fields.boolean("store", default=True)
    _check_store(
        fields, is_stored=is_stored, is_background=is_background, conversation=conversation
    )
    request = ResponseRequest(
        message=last,
        earlier=earlier,
        instructions=shown["instructions"],
        model=shown["model"],
        options=_options(shown),
        is_stream=fields.boolean("stream"),
        is_background=is_background,
        is_stored=is_stored,
        session_id=ids.parse_conversation(conversation) if conversation else "",
        previous=ids.parse_response(previous) if previous else None,
        user=shown["safety_identifier"] or shown["user"],
        shown=_without_defaults(
            shown,
            is_background=is_background,
            is_unstored=not is_stored,
            conversation=conversation,
        ),
    )
    _accept_without_effect(fields)
    fields.reject_others()
    return request


def read_input(fields: Fields, name: str = "input") -> list[InputMessage]:
    """Return the messages of a text or a list of items. Reasoning items are left out."""
    if fields.is_list(name):
        messages = [each for item in fields.objects(name) for each in _read_item(item)]
    else:
        messages = [InputMessage(Role.USER, fields.text(name) or "")]
    if not messages:
        raise fields.invalid(name, "must contain a message")
    check_number_of_parts(messages)
    return messages


def _read_item(item: Fields) -> list[InputMessage]:
    kind = item.take("type") or "message"
    if kind == "reasoning":
        return []
    if kind != "message":
        path = item.path("type")
        raise UnsupportedContent(f"`{path}`: items of this type are not supported.", param=path)
    message = read_message(item)
    item.ignore("id", "status", "phase")
    item.reject_others()
    return [message]


def _read_conversation(fields: Fields) -> str | None:
    if isinstance(fields.peek("conversation"), dict):
        inner = fields.inner("conversation")
        found = inner.text("id") if inner else None
        if inner:
            inner.reject_others()
        return found
    return fields.text("conversation")


def _check_store(
    fields: Fields, *, is_stored: bool, is_background: bool, conversation: str | None
) -> None:
    if not is_stored and is_background:
        raise fields.invalid("background", "requires `store`")
    if not is_stored and conversation:
        raise fields.invalid("store", "must be true with `conversation`, which keeps its items")


def _read_shown(fields: Fields) -> dict[str, Any]:
    """Return the fields that the response repeats."""
    user, safety_identifier = read_user(fields)
    return {
        "instructions": fields.text(
            "instructions", max_bytes=chat_settings.MAX_SYSTEM_PROMPT_BYTES
        ),
        "model": fields.text("model", max_chars=100),
        "max_output_tokens": fields.integer("max_output_tokens", 1, MAX_TOKENS),
        "format": _read_text_format(fields),
        "effort": _read_effort(fields),
        "truncation": fields.choice("truncation", "auto", "disabled"),
        "metadata": fields.metadata(),
        "prompt_cache_key": fields.text("prompt_cache_key", max_chars=MAX_LABEL_CHARS),
        "user": user,
        "safety_identifier": safety_identifier,
        **read_sampling(fields),
    }


def _read_text_format(fields: Fields) -> Mapping[str, Any] | None:
    text = fields.inner("text")
    if text is None:
        return None
    found = read_format(text.inner("format"), is_flat=True)
    text.accept("verbosity", "medium")
    text.reject_others()
    return found


def _read_effort(fields: Fields) -> str | None:
    reasoning = fields.inner("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.choice("effort", *EFFORTS)
    reasoning.accept("summary", "auto")
    reasoning.accept("generate_summary", "auto")
    reasoning.reject_others()
    return effort


def _options(shown: Mapping[str, Any]) -> Options:
    return Options(
        max_tokens=shown["max_output_tokens"],
        temperature=shown["temperature"],
        top_p=shown["top_p"],
        response_format=shown["format"],
        reasoning_effort=shown["effort"],
    )


def _without_defaults(shown: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {name: each for name, each in {**shown, **more}.items() if _is_set(each)}


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value != {}


def _accept_without_effect(fields: Fields) -> None:
    fields.ignore("include", "stream_options", "prompt_cache_retention")
    fields.accept("service_tier", "auto", "default")
    fields.accept("top_logprobs", 0)
    fields.accept("presence_penalty", 0)
    fields.accept("frequency_penalty", 0)
    fields.boolean("parallel_tool_calls")
    fields.accept("tools", [])
    fields.accept("tool_choice", "auto", "none")
    fields.accept("max_tool_calls")
