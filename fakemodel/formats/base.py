"""The interface of a wire format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from fakemodel.calls import Call
from fakemodel.errors import APIError, ErrorResponse, Headers, TooLong
from fakemodel.replies.reply import Reply

JSON = b"application/json"

# The messages of HTTP errors, by status.
MESSAGES = {
    401: "Incorrect API key provided.",
    404: "The model '{model}' does not exist or you do not have access to it.",
    429: "Rate limit reached for {model}.",
    500: "The server had an error while processing your request.",
    503: "The engine is currently overloaded, please try again later.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A reply as bytes. The body is head, one piece per token, tail, terminator."""

    content_type: bytes
    head: bytes
    # Takes the index and the text of a token.
    encode_token: Callable[[int, str], bytes]
    # Finish reason and usage.
    tail: bytes
    # The marker after which nothing follows, such as `[DONE]`.
    terminator: bytes = b""


class Render(Protocol):
    """Renders a reply."""

    def __call__(
        self, call: Call, reply: Reply, reply_id: str, /, *, unknown_fields: bool
    ) -> Rendering:
        """Return the reply; `unknown_fields` adds fields that clients do not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """The parts of a request that come before its body; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]


def accept(_head: RequestHead) -> None:
    """Accept every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One wire format."""

    name: str
    # Takes a body and the request's path; raises APIError.
    parse: Callable[[bytes, str], Call]
    render: Render
    encode_error: Callable[[APIError], ErrorResponse]
    # Returns the event that ends a stream with an error.
    encode_error_event: Callable[[str], bytes]
    too_long: TooLong
    # Whether a stream has started when the server notices that the prompt is too long.
    streams_too_long: bool = False
    # Messages by status; `{model}` is the call's model.
    messages: Mapping[int, str] = field(default_factory=lambda: MESSAGES)
    # What follows the message of an error with a delay; `{delay}` is in seconds.
    retry_message: str = ""
    # Headers of every response.
    headers: Headers = ()
    # Raises APIError if the request lacks a key or a parameter of the URL.
    check_head: Callable[[RequestHead], None] = accept


def escape_token(_index: int, token: str) -> bytes:
    """Return `token` as part of a JSON string; joined, the parts are the JSON of the text."""
    return orjson.dumps(token)[1:-1]
