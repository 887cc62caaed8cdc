"""The wire format of an imitated server, as the app uses it."""

from functools import partial

import orjson

from fakemodel.calls import Call, parse_body
from fakemodel.errors import APIError, ErrorResponse
from fakemodel.formats import chat
from fakemodel.formats.base import JSON, Format
from fakemodel.imitations.imitation import Imitation
from fakemodel.imitations.rendering import render

PLAIN_TEXT = b"text/plain; charset=utf-8"


def format_of(imitation: Imitation) -> Format:
    """Return the chat format of the imitated server."""
    return Format(
        name=chat.CHAT.name,
        parse=partial(_parse, imitation),
        render=partial(render, imitation),
        encode_error=partial(_encode_error, imitation),
        encode_error_event=imitation.errors.event,
        too_long=imitation.errors.too_long,
        streams_too_long=imitation.errors.streams_too_long,
        messages=imitation.messages,
        retry_message=imitation.errors.retry_message,
        headers=imitation.headers,
        check_head=imitation.check_head,
    )


def _parse(imitation: Imitation, body: bytes, _path: str) -> Call:
    fields = parse_body(body)
    imitation.check_fields(fields)
    call = chat.parse_fields(fields)
    imitation.check_call(call)
    return call


def _encode_error(imitation: Imitation, error: APIError) -> ErrorResponse:
    errors = imitation.errors
    status = errors.statuses.get(error.status, error.status)
    body = errors.body(error)
    headers = errors.retry_headers(error)
    if isinstance(body, str):
        return ErrorResponse(status, PLAIN_TEXT, body.encode(), headers)
    return ErrorResponse(status, JSON, orjson.dumps(body), headers)
