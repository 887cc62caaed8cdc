"""Requests of chat completions.

| field | effect |
|---|---|
| `messages` | the whole prompt; those of the system are the session's system prompt |
| `model` | the session's model; by default that of `CHAT_DEFAULT_MODEL` |
| `max_tokens`, `max_completion_tokens`, `temperature`, `top_p`, `stop` | options of the turn |
| `seed`, `response_format`, `reasoning_effort` | the same |
| `stream`, `stream_options.include_usage` | the form of the answer |
| `user`, `safety_identifier` | the user, for keys that may act for users |
| `n` 1, penalties 0, `logprobs` false, `tools` [], `store`, `metadata`, ... | none |
| all others, such as `functions` and `audio` | 400 `unsupported_parameter` |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.domain import InputMessage, Options, Role
from chat.openai_api.content import check_number_of_parts, read_message
from chat.openai_api.history import system_text
from chat.openai_api.options import (
    EFFORTS,
    MAX_LABEL_CHARS,
    MAX_TOKENS,
    read_format,
    read_sampling,
    read_user,
)
from chat.protocols.fields import Fields, check_texts

MAX_STOPS = 4
# As in `POST /messages`.
MAX_STOP_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat completion to create."""

    # Without system messages.
    messages: Sequence[InputMessage]
    # The text of all system messages.
    system_prompt: str
    model: str | None
    options: Options
    is_stream: bool
    has_usage_chunk: bool
    user: str | None

    @property
    def question(self) -> int:
        """Return the index of the last user message, which staff see, or else the last message."""
        last = len(self.messages) - 1
        is_own = (i for i in range(last, -1, -1) if self.messages[i].role is Role.USER)
        return next(is_own, last)


def parse_chat_request(body: Mapping[str, Any]) -> ChatRequest:
    """Return the request of a JSON object.

    Raises:
        InvalidRequest, UnsupportedParameter, UnsupportedContent
    """
    fields = Fields(body)
    user, safety_identifier = read_user(fields)
    messages = _read_messages(fields)
    others = [each for each in messages if each.role is not Role.SYSTEM and not each.is_empty]
    request = ChatRequest(
        messages=others,
        system_prompt=system_text(messages),
        model=fields.text("model", max_chars=100),
        options=_read_options(fields),
        is_stream=fields.boolean("stream"),
        has_usage_chunk=_read_stream_options(fields),
        user=safety_identifier or user,
    )
    _accept_without_effect(fields)
    fields.reject_others()
    return request


def _read_messages(fields: Fields) -> list[InputMessage]:
    messages = []
    for each in fields.objects("messages"):
        messages.append(read_message(each))
        each.text("name", max_chars=MAX_LABEL_CHARS)
        each.accept("tool_calls", [])
        each.ignore("refusal", "annotations", "reasoning_content", "reasoning")
        each.reject_others()
    own = [message for message in messages if message.role is not Role.SYSTEM]
    if not any(message.text.strip() or message.parts for message in own):
        raise fields.invalid("messages", "must contain a message with text")
    check_number_of_parts(messages)
    return messages


def _read_options(fields: Fields) -> Options:
    max_tokens = fields.integer("max_completion_tokens", 1, MAX_TOKENS)
    old_max_tokens = fields.integer("max_tokens", 1, MAX_TOKENS)
    stop = fields.take("stop")
    return Options(
        max_tokens=max_tokens or old_max_tokens,
        stop=_check_stops(fields, stop) if stop else (),
        seed=fields.integer("seed", -(2**63), 2**63 - 1),
        response_format=read_format(fields.inner("response_format"), is_flat=False),
        reasoning_effort=fields.choice("reasoning_effort", *EFFORTS),
        **read_sampling(fields),
    )


def _check_stops(fields: Fields, stop: object) -> tuple[str, ...]:
    return tuple(check_texts(fields, "stop", stop, most=MAX_STOPS, max_chars=MAX_STOP_CHARS))


def _read_stream_options(fields: Fields) -> bool:
    inner = fields.inner("stream_options")
    if inner is None:
        return False
    has_usage_chunk = inner.boolean("include_usage")
    inner.boolean("include_obfuscation")
    inner.reject_others()
    return has_usage_chunk


def _accept_without_effect(fields: Fields) -> None:
    for name in ("frequency_penalty", "presence_penalty", "top_logprobs"):
        fields.accept(name, 0)
    fields.accept("n", 1)
    fields.accept("logprobs", False)
    fields.accept("logit_bias", {})
    fields.accept("tools", [])
    fields.accept("tool_choice", "auto", "none")
    fields.accept("service_tier", "auto", "default")
    fields.accept("modalities", ["text"])
    fields.accept("verbosity", "medium")
    fields.boolean("parallel_tool_calls")
    fields.boolean("store")
    fields.text("prompt_cache_key", max_chars=MAX_LABEL_CHARS)
    # Clients put any objects here, not only texts.
    fields.ignore("metadata", "prompt_cache_retention")
