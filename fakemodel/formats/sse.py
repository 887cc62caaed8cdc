"""What every format offers, and the pieces that a reply's bytes are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from fakemodel.calls import Call
from fakemodel.errors import Refused
from fakemodel.replies.reply import Reply

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"

DONE = b"data: [DONE]\n\n"

SYSTEM_FINGERPRINT = "fp_fakemodel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A reply as bytes: `head`, a piece per token, `tail`, `end`. Joined, they are the body."""

    content_type: bytes
    head: bytes
    piece: Callable[[int, str], bytes]
    """The bytes of the token with this number and text."""
    tail: bytes
    """Finish reason and usage."""
    end: bytes = b""
    """The marker that says nothing more will come."""


class Render(Protocol):
    """Gives the bytes of a reply."""

    def __call__(self, call: Call, reply: Reply, reply_id: str, /, *, odd: bool) -> Rendering:
        """The reply under this id; `odd` adds fields that no client knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One vendor's way of asking and answering."""

    name: str
    parse: Callable[[bytes, str], Call]
    """The call in a body, given the request's path; raises Refused."""
    render: Render
    error: Callable[[Refused], bytes]
    """The body of an error."""
    error_event: Callable[[str], bytes]
    """What stands in a stream that fails half-way."""


def escaped(_index: int, token: str) -> bytes:
    """`token` as part of a JSON string: fragments joined are the JSON of the whole text."""
    return orjson.dumps(token)[1:-1]


def event(fields: object) -> bytes:
    """`fields` as one server-sent event."""
    return b"data: %b\n\n" % orjson.dumps(fields)


def token_events(before: bytes, after: bytes) -> Callable[[int, str], bytes]:
    """Renders a token as the event that differs from the others only in its text."""
    opening, closing = b"data: " + before, after + b"\n\n"

    def piece(_index: int, token: str) -> bytes:
        return opening + orjson.dumps(token) + closing

    return piece


def usage(reply: Reply) -> dict[str, int]:
    """OpenAI's `usage` object."""
    completion = len(reply.tokens)
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
    }
