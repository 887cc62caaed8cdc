"""OpenAI."""

from fakemodel.errors import APIError, Headers
from fakemodel.formats.openai_common import TOO_LONG
from fakemodel.imitations.checks import limit_stops, require_bearer
from fakemodel.imitations.error_bodies import openai_body, openai_event
from fakemodel.imitations.imitation import (
    UTF8_EVENT_STREAM,
    Document,
    Errors,
    Imitation,
    Stream,
    Value,
)

# AbanteAI/archive-old-cli-mentat#429 and envoyproxy/ai-gateway#1503 quote chunks; the SDK's
# types have the same fields (openai-python src/openai/types/chat/chat_completion_chunk.py).
FIELDS = {"service_tier": "default", "system_fingerprint": "fp_fakemodel"}
USAGE = {
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": Value.REASONING_TOKENS,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
TYPES = {429: "requests", 500: "server_error", 503: "server_error"}
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def retry_headers(error: APIError) -> Headers:
    """Return the delay in milliseconds and in seconds, as openai-python reads it.

    openai-python src/openai/_base_client.py: `retry-after-ms` first, then `retry-after`. The
    durations of `x-ratelimit-reset-*` (`1s`, `6m0s`) are in OpenAI's guide to rate limits.
    """
    if error.retry_after is None:
        return ()
    return (
        (b"retry-after", b"%d" % max(1, round(error.retry_after))),
        (b"retry-after-ms", b"%d" % round(error.retry_after * 1000)),
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", f"{error.retry_after:g}s".encode()),
    )


OPENAI = Imitation(
    name="openai",
    headers=(
        (b"openai-version", b"2020-10-01"),
        (b"openai-processing-ms", b"12"),
        (b"x-request-id", b"req_fakemodel"),
        (b"x-ratelimit-limit-requests", b"500"),
        (b"x-ratelimit-limit-tokens", b"200000"),
    ),
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        fields={**FIELDS, "obfuscation": "2xP"},
        first={"role": "assistant", "content": "", "refusal": None},
        choice={"logprobs": None},
        has_null_usage=True,
    ),
    document=Document(
        fields=FIELDS,
        choice={"logprobs": None},
        message={"refusal": None, "annotations": []},
    ),
    usage=USAGE,
    errors=Errors(
        body=openai_body(TYPES, CODES),
        event=openai_event("server_error"),
        too_long=TOO_LONG,
        messages={
            401: "Incorrect API key provided: sk-wrong. You can find your API key at"
            " https://platform.openai.com/account/api-keys.",
            404: "The model `{model}` does not exist or you do not have access to it.",
            429: "Rate limit reached for {model} in organization org-fake on requests per min"
            " (RPM): Limit 3, Used 3, Requested 1.",
            500: "The server had an error while processing your request. Sorry about that!",
            503: "That model is currently overloaded with other requests.",
        },
        retry_message=" Please try again in {delay:g}s.",
        retry_headers=retry_headers,
    ),
    check_head=require_bearer("You didn't provide an API key."),
    # "Up to 4 sequences": OpenAI's API reference, chat completions, `stop`.
    check_call=limit_stops(
        4,
        "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an"
        " array with length {count} instead.",
    ),
)
