"""The interface of a wire format."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from fakemodel.calls import Call
from fakemodel.errors import APIError
from fakemodel.replies.reply import Reply

JSON = b"application/json"


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
class Format:
    """One wire format."""

    name: str
    # Takes a body and the request's path; raises APIError.
    parse: Callable[[bytes, str], Call]
    render: Render
    # Returns the body of an error response.
    encode_error: Callable[[APIError], bytes]
    # Returns the event that ends a stream with an error.
    encode_error_event: Callable[[str], bytes]


def escape_token(_index: int, token: str) -> bytes:
    """Return `token` as part of a JSON string; joined, the parts are the JSON of the text."""
    return orjson.dumps(token)[1:-1]
