"""The shapes of errors that several servers share."""

from collections.abc import Callable, Mapping
from typing import Any

from fakemodel.errors import APIError, Headers
from fakemodel.formats.sse import encode_event

# A gateway in front of a server without rate limits answers in plain text.
GATEWAY_429 = "Too Many Requests"


def openai_body(
    types: Mapping[int, str], codes: Mapping[int, str] | None = None
) -> Callable[[APIError], dict[str, Any]]:
    """Return a function for OpenAI's shape: message, type, param, code."""
    by_status = codes or {}

    def body(error: APIError) -> dict[str, Any]:
        return {
            "error": {
                "message": error.message,
                "type": types.get(error.status, "invalid_request_error"),
                "param": error.param,
                "code": error.code or by_status.get(error.status),
            }
        }

    return body


def openai_event(type_name: str, code: Any = None) -> Callable[[str], bytes]:
    """Return a function for an error object as the last event of a stream."""

    def event(message: str) -> bytes:
        fields = {"message": message, "type": type_name, "param": None, "code": code}
        return encode_event({"error": fields})

    return event


def named_event(name: bytes, document: Any) -> bytes:
    """Return `document` as an event with a name."""
    return b"event: %b\n%b" % (name, encode_event(document))


def no_retry_headers(_error: APIError) -> Headers:
    """Return no headers, for servers that ask for a delay in the body."""
    return ()
