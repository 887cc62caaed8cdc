"""Mistral's API: rejects fields that it does not know, and sends usage without being asked."""

from http import HTTPStatus
from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.checks import require_bearer
from fakemodel.imitations.imitation import (
    UTF8_EVENT_STREAM,
    Document,
    Errors,
    Fields,
    Imitation,
    Reasoning,
    Stream,
    UsageIn,
)

# The fields of the API reference, chat completions. `seed` is `random_seed` there. Whether
# `stream_options` is still rejected is not verified; earlier users of Parley report it.
KNOWN_FIELDS = frozenset(
    [
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "stream",
        "stop",
        "random_seed",
        "response_format",
        "tools",
        "tool_choice",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "prediction",
        "parallel_tool_calls",
        "prompt_mode",
        "safe_prompt",
        "reasoning_effort",
    ]
)
TYPES = {400: "invalid_request_error", 429: "rate_limited", 500: "internal_server_error"}
CODES = {404: "1500", 429: "1300", 500: "1000", 503: "1000"}


def check_fields(fields: dict[str, Any]) -> None:
    """Reject unknown fields with 422, as pydantic does with `extra = "forbid"`."""
    for name in fields:
        if name not in KNOWN_FIELDS:
            raise APIError(422, "Extra inputs are not permitted", param=name)


def error_body(error: APIError) -> dict[str, Any]:
    """Return the gateway's shape, or that of the model, whose `message` may be an object.

    The fixtures of an adapter for Mistral quote all three: `{"message":"Unauthorized",...}`,
    `{"object":"error","message":{"detail":[...]},...}` and `{"object":"error","message":"..."}`.
    """
    if error.status == HTTPStatus.UNAUTHORIZED:
        return {"message": error.message, "request_id": "fakemodel"}
    message: Any = error.message
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        loc = ["body", error.param]
        message = {"detail": [{"type": "extra_forbidden", "loc": loc, "msg": error.message}]}
    return {
        "object": "error",
        "message": message,
        "type": TYPES.get(error.status, "invalid_request_error"),
        "param": None,
        "code": error.code or CODES.get(error.status),
    }


def error_event(message: str) -> bytes:
    """Return an error in a stream; the shape is that of other errors, which is not verified."""
    return encode_event(
        {"object": "error", "message": message, "type": "internal_server_error", "code": "1000"}
    )


def thinking(text: str) -> Fields:
    """Return a part of reasoning (Mistral's documentation, reasoning)."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


MISTRAL = Imitation(
    name="mistral",
    headers=((b"mistral-correlation-id", b"fakemodel"), (b"x-kong-request-id", b"fakemodel")),
    id_format="{id}",
    # mistral-vibe tests/backend/data/mistral.py: `p` is random padding, the last chunk has an empty
    # text and the usage.
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        fields={"p": "abcdefghijklmnopq"},
        last={"content": ""},
        usage=UsageIn.LAST,
    ),
    document=Document(message={"tool_calls": None}),
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="Prompt contains 32778 tokens and 0 draft tokens, too large for model with"
            " 32768 maximum context length",
            code="3051",
        ),
        messages={
            401: "Unauthorized",
            404: "Invalid model: {model}",
            429: "Requests rate limit exceeded",
            500: "Service unavailable.",
            503: "Service unavailable.",
        },
    ),
    reasoning=Reasoning(
        delta=lambda token: {"content": [thinking(token)]},
        message=lambda reasoning, content: {
            "content": [thinking(reasoning), {"type": "text", "text": content}]
        },
    ),
    # Mistral's API reference: stop, length, model_length, error, tool_calls.
    finish_reasons={"content_filter": "stop"},
    check_head=require_bearer("Unauthorized"),
    check_fields=check_fields,
)
