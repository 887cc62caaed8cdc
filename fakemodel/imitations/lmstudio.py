"""LM Studio's local server, an Express application.

Its source is not public. Errors as a string and the messages are quoted by users
(anomalyco/opencode#2259, lmstudio-ai/lmstudio-bug-tracker#2205, cline/cline#3664: the error comes
after "Streaming response..."). The bytes of the event and of chunks are not verified.
"""

from http import HTTPStatus
from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.imitations.error_bodies import GATEWAY_429, named_event
from fakemodel.imitations.imitation import (
    UTF8_EVENT_STREAM,
    Document,
    Errors,
    Imitation,
    Stream,
    reasoning_field,
)

FINGERPRINT = {"system_fingerprint": "fake-model"}


def error_body(error: APIError) -> Any:
    """Return the error as a string; that of an unknown model has OpenAI's shape."""
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return GATEWAY_429
    if error.status == HTTPStatus.NOT_FOUND:
        fields = {"message": error.message, "type": "invalid_request_error", "param": "model"}
        return {"error": {**fields, "code": "model_not_found"}}
    return {"error": error.message}


def error_event(message: str) -> bytes:
    return named_event(b"error", {"error": {"message": message}, "message": message})


LMSTUDIO = Imitation(
    name="lmstudio",
    headers=((b"x-powered-by", b"Express"), (b"access-control-allow-origin", b"*")),
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        fields=FINGERPRINT,
        first=None,
        delta={"role": "assistant"},
        choice={"logprobs": None},
    ),
    document=Document(
        fields={**FINGERPRINT, "stats": {}}, choice={"logprobs": None}, message={"tool_calls": []}
    ),
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="The number of tokens to keep from the initial prompt is greater than the"
            " context length. Try to load the model with a larger context length, or provide a"
            " shorter input",
        ),
        streams_too_long=True,
        messages={
            404: 'Model "{model}" not found.',
            500: "The model has crashed without additional information. (Exit code: 6)",
            503: "Model is loading.",
        },
    ),
    reasoning=reasoning_field("reasoning_content"),
)
