"""Server-sent events."""

from collections.abc import Callable

import orjson

EVENT_STREAM = b"text/event-stream; charset=utf-8"


def encode_event(fields: object) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(fields)


def token_encoder(before: bytes, after: bytes) -> Callable[[int, str], bytes]:
    """Return a function that encodes a token as an event, between two constant parts."""
    opening, closing = b"data: " + before, after + b"\n\n"

    def encode_token(_index: int, token: str) -> bytes:
        return opening + orjson.dumps(token) + closing

    return encode_token
