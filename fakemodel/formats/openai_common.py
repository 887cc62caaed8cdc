"""The parts that OpenAI's two formats share: errors, usage, the end of a stream."""

from typing import Any

import orjson

from fakemodel.errors import APIError, ErrorResponse, TooLong, retry_after
from fakemodel.formats.base import JSON
from fakemodel.formats.sse import encode_event
from fakemodel.replies.reply import Reply

DONE = b"data: [DONE]\n\n"

SYSTEM_FINGERPRINT = "fp_fakemodel"

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_exceeded",
    500: "server_error",
    502: "server_error",
    503: "service_unavailable_error",
    504: "server_error",
}
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


# chathub-dev/chathub#126 quotes it.
TOO_LONG = TooLong(
    message="This model's maximum context length is 8192 tokens. However, your messages resulted in"
    " 10010 tokens. Please reduce the length of the messages.",
    code="context_length_exceeded",
    param="messages",
)


def encode_error(error: APIError) -> ErrorResponse:
    """Return an error as `{"error": {"message", "type", "param", "code"}}`."""
    code = error.code or CODES.get(error.status)
    kind = "insufficient_quota" if code == "insufficient_quota" else TYPES.get(error.status)
    fields = {
        "message": error.message,
        "type": kind or "invalid_request_error",
        "param": error.param,
        "code": code,
    }
    body = orjson.dumps({"error": fields})
    return ErrorResponse(error.status, JSON, body, retry_after(error))


def encode_error_event(message: str) -> bytes:
    """Return an error object as OpenAI sends it within a stream."""
    return encode_event(
        {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
    )


def usage(reply: Reply) -> dict[str, Any]:
    completion = len(reply.tokens) + len(reply.reasoning)
    counts: dict[str, Any] = {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
    }
    if reply.reasoning:
        counts["completion_tokens_details"] = {"reasoning_tokens": len(reply.reasoning)}
    return counts
