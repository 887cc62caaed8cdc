"""OpenAI's error object, shared by its two formats."""

import orjson

from fakemodel.errors import Refused
from fakemodel.formats.sse import event

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


def error(refused: Refused) -> bytes:
    """The body of an error: `{"error": {"message", "type", "param", "code"}}`."""
    code = refused.code or CODES.get(refused.status)
    kind = "insufficient_quota" if code == "insufficient_quota" else TYPES.get(refused.status)
    return orjson.dumps(
        {
            "error": {
                "message": refused.message,
                "type": kind or "invalid_request_error",
                "param": refused.param,
                "code": code,
            }
        }
    )


def error_event(message: str) -> bytes:
    """The error object as OpenAI's servers put it into a stream."""
    return event(
        {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
    )
