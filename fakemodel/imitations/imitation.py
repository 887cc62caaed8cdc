"""The description of a server: which paths, chunks, documents and errors it has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from fakemodel.calls import Call
from fakemodel.errors import APIError, Headers, TooLong, retry_after
from fakemodel.formats.base import MESSAGES, Format, RequestHead, accept

Fields = Mapping[str, Any]

EVENT_STREAM = b"text/event-stream"
UTF8_EVENT_STREAM = b"text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"

NO_FIELDS: Fields = {}


class Value(Enum):
    """A placeholder in the fields of a description; each reply has its own value."""

    USAGE = "usage"
    PROMPT_TOKENS = "prompt_tokens"
    COMPLETION_TOKENS = "completion_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    FINISH_REASON = "finish_reason"


class UsageIn(StrEnum):
    """Which chunk of a stream has the usage."""

    # A separate chunk after the finish reason, if the request asks for it.
    REQUESTED_CHUNK = "requested_chunk"
    # The chunk with the finish reason, if the request asks for it.
    REQUESTED_LAST = "requested_last"
    # The chunk with the finish reason, always.
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How a server streams a reply."""

    content_type: bytes = EVENT_STREAM
    # The bytes of an event before its JSON.
    prefix: bytes = b"data: "
    # Sent before the first chunk, such as a comment.
    preamble: bytes = b""
    # Chunks before the first one of the reply.
    chunks_before: tuple[Fields, ...] = ()
    # Chunks after the one with the finish reason.
    chunks_after: tuple[Fields, ...] = ()
    # Fields of every chunk, in addition to `id`, `object`, `created`, `model`, `choices`.
    fields: Fields = field(default_factory=dict)
    # Further fields of the first chunk, and of the one with the finish reason if there is usage.
    first_fields: Fields = field(default_factory=dict)
    last_fields: Fields = field(default_factory=dict)
    # Fields of every choice, in addition to `index`, `delta`, `finish_reason`.
    choice: Fields = field(default_factory=dict)
    last_choice: Fields = field(default_factory=dict)
    # The delta of the first chunk. None: the first chunk has text already.
    first: Fields | None = field(default_factory=lambda: {"role": "assistant", "content": ""})
    # Fields of every delta with text, in addition to `content`.
    delta: Fields = field(default_factory=dict)
    # The delta of the chunk with the finish reason. None: that chunk has the last token.
    last: Fields | None = field(default_factory=dict)
    # Whether choices without a finish reason omit the field instead of sending null.
    omits_null_finish_reason: bool = False
    usage: UsageIn = UsageIn.REQUESTED_CHUNK
    # The `choices` of the chunk with the usage.
    usage_choices: tuple[Fields, ...] = ()
    # Whether the other chunks have `"usage": null` if the request asks for usage.
    has_null_usage: bool = False
    terminator: bytes = DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """How a server sends a complete reply as JSON."""

    # Fields in addition to `id`, `object`, `created`, `model`, `choices`, `usage`.
    fields: Fields = field(default_factory=dict)
    # Fields of a reply with usage.
    usage_fields: Fields = field(default_factory=dict)
    # Fields in addition to `index`, `message`, `finish_reason`.
    choice: Fields = field(default_factory=dict)
    # Fields in addition to `role`, `content`.
    message: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """How a server sends reasoning."""

    # Takes a token; returns the delta.
    delta: Callable[[str], Fields]
    # Takes reasoning and text; returns the fields of the message.
    message: Callable[[str, str], Fields]
    # Texts before the reasoning, and before the text that follows it.
    opening: str = ""
    closing: str = ""


def reasoning_field(name: str, **delta: Any) -> Reasoning:
    """Return reasoning in the field `name`; `delta` has further fields of its deltas."""
    return Reasoning(
        delta=lambda token: {**delta, name: token},
        message=lambda reasoning, content: {name: reasoning, "content": content},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How a server reports errors."""

    # Returns the JSON document of an error, or a plain text.
    body: Callable[[APIError], Any]
    # Takes a message; returns what ends a stream with an error.
    event: Callable[[str], bytes]
    too_long: TooLong
    # Whether a stream has started when the server notices that the prompt is too long.
    streams_too_long: bool = False
    messages: Mapping[int, str] = field(default_factory=dict)
    # What follows the message of an error with a delay; `{delay}` is in seconds.
    retry_message: str = ""
    # The status that the server sends where others send the key.
    statuses: Mapping[int, int] = field(default_factory=dict)
    # Returns the headers that ask for a delay.
    retry_headers: Callable[[APIError], Headers] = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Imitation:
    """A server."""

    name: str
    # A regular expression for the path of chat completions.
    path: str = "/v1/chat/completions"
    # Other paths, and their formats.
    paths: Mapping[str, Format] = field(default_factory=dict)
    headers: Headers = ()
    # `{id}` is a number, `{created}` the time.
    id_format: str = "chatcmpl-{id}"
    stream: Stream
    document: Document
    errors: Errors
    # Fields of `usage` in addition to the three counts.
    usage: Fields = field(default_factory=dict)
    # None: the server counts reasoning but does not send it.
    reasoning: Reasoning | None = None
    finish_reasons: Mapping[str, str] = field(default_factory=dict)
    # Whether the stop sequence that ended a reply is part of its text.
    includes_stop_sequence: bool = False
    # Raises APIError if the request lacks a key or a parameter of the URL.
    check_head: Callable[[RequestHead], None] = accept
    # Raises APIError if the fields of the body are not accepted.
    check_fields: Callable[[dict[str, Any]], None] = lambda _fields: None
    # Raises APIError if the call is not accepted.
    check_call: Callable[[Call], None] = lambda _call: None

    @property
    def messages(self) -> Mapping[int, str]:
        """The messages of HTTP errors, by status."""
        return {**MESSAGES, **self.errors.messages}
