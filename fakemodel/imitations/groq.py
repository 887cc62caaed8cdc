"""Groq: usage in `x_groq` without being asked."""

from typing import Any

from fakemodel.errors import APIError, Headers, TooLong
from fakemodel.imitations.checks import limit_stops, require_bearer
from fakemodel.imitations.error_bodies import named_event, openai_body
from fakemodel.imitations.imitation import (
    Document,
    Errors,
    Imitation,
    Stream,
    Value,
    reasoning_field,
)

ID = {"id": "req_fakemodel"}
SHAPE = openai_body(
    {429: "tokens", 500: "internal_server_error", 503: "internal_server_error"},
    {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"},
)


def error_body(error: APIError) -> dict[str, Any]:
    """Return OpenAI's shape without the fields that are null (continuedev/continue#10218)."""
    fields = SHAPE(error)["error"]
    return {"error": {name: value for name, value in fields.items() if value is not None}}


def error_event(message: str) -> bytes:
    """Return an event with a name, as groq-python's stream reader expects it; not verified."""
    return named_event(b"error", error_body(APIError(500, message)))


def retry_headers(error: APIError) -> Headers:
    """Return the headers of console.groq.com/docs/rate-limits: seconds and durations."""
    if error.retry_after is None:
        return ()
    duration = f"{error.retry_after:g}s".encode()
    return (
        (b"retry-after", b"%d" % max(1, round(error.retry_after))),
        (b"x-ratelimit-remaining-tokens", b"0"),
        (b"x-ratelimit-reset-tokens", duration),
    )


GROQ = Imitation(
    name="groq",
    path="/openai/v1/chat/completions",
    headers=(
        (b"x-groq-region", b"fra"),
        (b"x-ratelimit-limit-requests", b"14400"),
        (b"x-ratelimit-limit-tokens", b"6000"),
        (b"x-request-id", b"req_fakemodel"),
    ),
    # vercel/ai packages/groq tests: `x_groq` in the first chunk, and with usage in the last.
    # Portkey-AI/gateway#1338: with `include_usage` a usage chunk follows.
    stream=Stream(
        fields={"system_fingerprint": "fp_fakemodel"},
        first_fields={"x_groq": ID},
        last_fields={"x_groq": {**ID, "usage": Value.USAGE}},
        choice={"logprobs": None},
    ),
    document=Document(
        fields={
            "system_fingerprint": "fp_fakemodel",
            "x_groq": ID,
            "usage_breakdown": None,
            "service_tier": "on_demand",
        },
        choice={"logprobs": None},
    ),
    usage={
        "queue_time": 0.06,
        "prompt_time": 0.0002,
        "completion_time": 0.79,
        "total_time": 0.85,
    },
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="Please reduce the length of the messages or completion.",
            code="context_length_exceeded",
            param="messages",
        ),
        messages={
            401: "Invalid API Key",
            404: "The model `{model}` does not exist or you do not have access to it.",
            # elizaOS/eliza#4040.
            429: "Rate limit reached for model `{model}` in organization `org_fake` service tier"
            " `on_demand` on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443.",
            500: "Internal Server Error",
            503: "{model} is currently over capacity. Please try again and back off exponentially.",
        },
        retry_message=" Please try again in {delay:g}s.",
        retry_headers=retry_headers,
    ),
    reasoning=reasoning_field("reasoning"),
    check_head=require_bearer("Invalid API Key"),
    # console.groq.com/docs/api-reference: "Up to 4 sequences".
    check_call=limit_stops(4, "'stop' : maximum number of items is 4"),
)
