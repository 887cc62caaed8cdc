"""Anthropic's OpenAI-compatible endpoint (platform.claude.com/docs, "OpenAI SDK compatibility").

The page says: `usage` has only the three counts. `system_fingerprint`, `logprobs` and `refusal` are
always empty. Reasoning is not returned. Errors have OpenAI's shape with other messages. The headers
`retry-after`, `request-id` and `x-ratelimit-*` are sent. All stops that are not whitespace work.
The exact chunks are not verified.
"""

from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.imitations.checks import require_bearer
from fakemodel.imitations.error_bodies import openai_event
from fakemodel.imitations.imitation import UTF8_EVENT_STREAM, Document, Errors, Imitation, Stream

# The types of Anthropic's own errors (docs, "Errors"), which are type and code here.
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    529: "overloaded_error",
}


def error_body(error: APIError) -> dict[str, Any]:
    """Return OpenAI's shape with Anthropic's types."""
    name = TYPES.get(error.status, "invalid_request_error")
    return {"error": {"code": name, "message": error.message, "type": name, "param": None}}


ANTHROPIC = Imitation(
    name="anthropic",
    headers=((b"request-id", b"req_fakemodel"), (b"openai-version", b"2020-10-01")),
    id_format="msg_{id}",
    stream=Stream(content_type=UTF8_EVENT_STREAM),
    document=Document(),
    errors=Errors(
        body=error_body,
        event=openai_event("overloaded_error", "overloaded_error"),
        # docs/cases.md C08; users quote it in many repositories. The other wording is
        # "prompt is too long: 215000 tokens > 200000 maximum".
        too_long=TooLong(
            message="input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000,"
            " decrease input length or `max_tokens` and try again",
        ),
        messages={
            401: "invalid x-api-key",
            404: "model: {model}",
            429: "This request would exceed your organization's rate limit of 50,000 input tokens"
            " per minute.",
            500: "Internal server error",
            503: "Overloaded",
            529: "Overloaded",
        },
    ),
    check_head=require_bearer("Missing API key"),
)
