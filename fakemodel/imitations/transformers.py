"""Hugging Face `transformers serve` 5, as measured with a tiny random model.

The stream ends after the finish reason, without `[DONE]`. Exceptions are Starlette's plain
`Internal Server Error`. The length of a prompt is not checked: a model may fail with it. A failure
in the middle of a stream is an error as a string (src/transformers/cli/serving).
"""

from http import HTTPStatus
from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.error_bodies import GATEWAY_429
from fakemodel.imitations.imitation import (
    UTF8_EVENT_STREAM,
    Document,
    Errors,
    Imitation,
    Stream,
    UsageIn,
    reasoning_field,
)


def error_body(error: APIError) -> Any:
    """Return FastAPI's `detail`, or plain text for an exception."""
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return GATEWAY_429
    return (
        "Internal Server Error"
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else {"detail": error.message}
    )


TRANSFORMERS = Imitation(
    name="transformers",
    headers=((b"server", b"uvicorn"), (b"x-request-id", b"fakemodel")),
    id_format="{id}",
    # Chunks omit fields that are null.
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        fields={"system_fingerprint": ""},
        first={"role": "assistant"},
        omits_null_finish_reason=True,
        usage=UsageIn.LAST,
        terminator=b"",
    ),
    document=Document(),
    errors=Errors(
        body=error_body,
        event=lambda message: encode_event({"error": message}),
        too_long=TooLong(status=500, message="Internal Server Error"),
        messages={404: "Not Found", 422: "Unexpected fields in the request: {{'options'}}"},
    ),
    reasoning=reasoning_field("reasoning_content"),
    # `stop_strings` ends the generation after the text, which stays.
    includes_stop_sequence=True,
)
