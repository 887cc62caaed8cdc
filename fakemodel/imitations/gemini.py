"""Gemini's OpenAI-compatible endpoint: errors in a list, delays in their body."""

from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.checks import require_bearer
from fakemodel.imitations.error_bodies import no_retry_headers
from fakemodel.imitations.imitation import Document, Errors, Imitation, Reasoning, Stream, UsageIn

# google.rpc.Code, as in google-gemini/gemini-cli#12823 and lbjlaq/Antigravity-Manager#1942.
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


def error_body(error: APIError) -> list[dict[str, Any]]:
    """Return the list that wraps the error.

    Simpleyyt/ai-manus#101 and google-gemini/gemini-cli#15514 quote it.
    The delay is a detail in the body, `"retryDelay": "58s"`; there is no header.
    """
    fields: dict[str, Any] = {
        "code": error.status,
        "message": error.message,
        "status": STATUSES.get(error.status, "UNKNOWN"),
    }
    if error.retry_after is not None:
        fields["details"] = [{"@type": RETRY_INFO, "retryDelay": f"{error.retry_after:g}s"}]
    return [{"error": fields}]


def error_event(message: str) -> bytes:
    """Return an error in a stream; the shape is that of other errors, which is not verified."""
    return encode_event(error_body(APIError(503, message)))


GEMINI = Imitation(
    name="gemini",
    path="/v1beta/openai/chat/completions",
    headers=((b"vary", b"Origin"), (b"x-content-type-options", b"nosniff")),
    id_format="{id}",
    # The tests of two clients quote chunks: every delta has the role, no null fields, the finish
    # reason and the usage are in the chunk with the last text.
    stream=Stream(
        first=None,
        delta={"role": "assistant"},
        last=None,
        omits_null_finish_reason=True,
        usage=UsageIn.REQUESTED_LAST,
    ),
    document=Document(),
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="The input token count (1196265) exceeds the maximum number of tokens allowed"
            " (1048576).",
        ),
        messages={
            401: "Request had invalid authentication credentials.",
            404: "models/{model} is not found for API version v1main, or is not supported for"
            " generateContent.",
            429: "You exceeded your current quota, please check your plan and billing details.",
            500: "An internal error has occurred. Please retry.",
            503: "The model is overloaded. Please try again later.",
        },
        retry_message=" Please retry in {delay:g}s.",
        retry_headers=no_retry_headers,
    ),
    # Reasoning is text in `<thought>` with a mark. The end tag precedes the first text after it.
    # Source: a fixture "from the user's log dump" in the tests of a client for Gemma and Gemini.
    reasoning=Reasoning(
        delta=lambda token: {
            "content": token,
            "extra_content": {"google": {"thought": True}},
            "role": "assistant",
        },
        message=lambda reasoning, content: {
            "content": f"<thought>{reasoning}</thought>{content}",
            "extra_content": {"google": {"thought": True}},
        },
        opening="<thought>",
        closing="</thought>",
    ),
    check_head=require_bearer("Missing or invalid Authorization header."),
)
