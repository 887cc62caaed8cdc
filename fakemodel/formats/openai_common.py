"""The parts that OpenAI's two formats share: errors, usage, the end of a stream."""

import orjson

from fakemodel.errors import APIError
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


def encode_error(error: APIError) -> bytes:
    """Return the body of an error: `{"error": {"message", "type", "param", "code"}}`."""
    code = error.code or CODES.get(error.status)
    kind = "insufficient_quota" if code == "insufficient_quota" else TYPES.get(error.status)
    return orjson.dumps(
        {
            "error": {
                "message": error.message,
                "type": kind or "invalid_request_error",
                "param": error.param,
                "code": code,
            }
        }
    )


def encode_error_event(message: str) -> bytes:
    """Return an error object as OpenAI sends it within a stream."""
    return encode_event(
        {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
    )


def usage(reply: Reply) -> dict[str, int]:
    """Return the `usage` object."""
    completion = len(reply.tokens)
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
    }
