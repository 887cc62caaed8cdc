"""Azure OpenAI: the key in `api-key`, the API version in the query, content filters in chunks."""

from typing import Any

from fakemodel.errors import APIError
from fakemodel.formats.base import RequestHead
from fakemodel.imitations import openai
from fakemodel.imitations.error_bodies import openai_event
from fakemodel.imitations.imitation import UTF8_EVENT_STREAM, Document, Errors, Imitation, Stream

FILTERS = {
    name: {"filtered": False, "severity": "safe"}
    for name in ("hate", "self_harm", "sexual", "violence")
}
PROMPT_FILTERS = {"prompt_index": 0, "content_filter_results": FILTERS}
NO_IDS = {"id": "", "object": "", "created": 0, "model": ""}

# xenodium/chatgpt-shell#155 and langchain4j/langchain4j#2385: the first chunk has no choice.
FIRST_CHUNK = {**NO_IDS, "choices": [], "prompt_filter_results": [PROMPT_FILTERS]}
# langchain-ai/langchain#18977 and microsoft/autogen#6465: with asynchronous filters the last
# chunk has a choice without delta, and it comes after the finish reason.
LAST_CHUNK = {
    **NO_IDS,
    "choices": [
        {
            "index": 0,
            "finish_reason": None,
            "content_filter_results": FILTERS,
            "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198},
        }
    ],
    "usage": None,
}

VERSIONED = "/openai/deployments/"


def check_head(head: RequestHead) -> None:
    """Require the key, and the API version except under `/openai/v1`.

    dongri/openai-api-rs#82, and the REST reference of Azure OpenAI. The messages are those that
    users quote; azure also accepts bearer tokens of Entra ID, which no test needs.
    """
    if not head.headers.get("api-key"):
        raise APIError(401, AZURE.messages[401])
    if head.path.startswith(VERSIONED) and not head.query.get("api-version"):
        raise APIError(404, "Resource not found")


def error_body(error: APIError) -> dict[str, Any]:
    """Return the gateway's short shape, or OpenAI's if the model itself reports the error."""
    if error.status in {401, 404, 429}:
        code = "DeploymentNotFound" if "deployment" in error.message else str(error.status)
        return {"error": {"code": code, "message": error.message}}
    fields: dict[str, Any] = openai.OPENAI.errors.body(error)
    return fields


AZURE = Imitation(
    name="azure",
    path=r"/openai/(?:deployments/[^/]+|v1)/chat/completions",
    headers=(
        (b"apim-request-id", b"00000000-0000-0000-0000-000000000000"),
        (b"x-ms-region", b"Sweden Central"),
        (b"x-ratelimit-remaining-requests", b"249"),
        (b"x-ratelimit-remaining-tokens", b"248000"),
    ),
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        chunks_before=(FIRST_CHUNK,),
        chunks_after=(LAST_CHUNK,),
        fields={"system_fingerprint": "fp_fakemodel"},
        first={"role": "assistant", "content": "", "refusal": None},
        choice={"logprobs": None, "content_filter_results": FILTERS},
        has_null_usage=True,
    ),
    document=Document(
        fields={"system_fingerprint": "fp_fakemodel", "prompt_filter_results": [PROMPT_FILTERS]},
        choice={"logprobs": None, "content_filter_results": FILTERS},
        message={"refusal": None, "annotations": []},
    ),
    usage=openai.USAGE,
    errors=Errors(
        body=error_body,
        event=openai_event("server_error"),
        too_long=openai.OPENAI.errors.too_long,
        messages={
            401: "Access denied due to invalid subscription key or wrong API endpoint. Make sure to"
            " provide a valid key for an active subscription and use a correct regional API"
            " endpoint for your resource.",
            404: "The API deployment for this resource does not exist.",
            # The wording of langchain4j's and litellm's tests of 429.
            429: "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version"
            " 2024-10-21 have exceeded call rate limit of your current OpenAI S0 pricing tier.",
            500: "The server had an error while processing your request. Sorry about that!",
        },
        retry_message=" Please retry after {delay:.0f} seconds.",
        retry_headers=openai.retry_headers,
    ),
    check_head=check_head,
    check_call=openai.OPENAI.check_call,
)
