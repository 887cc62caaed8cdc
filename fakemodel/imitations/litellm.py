"""The LiteLLM proxy 1.108 in front of an OpenAI-compatible server, as measured.

Measured with `litellm --config` in front of the fake model. After some failures it does not call
its model for five seconds and sends 429 `all_deployments_in_cooldown` with a `retry-after`
(proxy/common_request_processing.py).
"""

from typing import Any

from fakemodel.errors import APIError, Headers, TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.checks import require_bearer
from fakemodel.imitations.imitation import (
    UTF8_EVENT_STREAM,
    Document,
    Errors,
    Imitation,
    Stream,
    reasoning_field,
)

FINGERPRINT = {"system_fingerprint": "fp_fakemodel"}
TYPES = {
    400: "invalid_request_error",
    401: "auth_error",
    429: "throttling_error",
    500: "internal_server_error",
    503: "internal_server_error",
}
NO_FALLBACK = "\n\nLiteLLM: model group 'm' failed with the error above. No fallback was attempted."


def error_body(error: APIError) -> dict[str, Any]:
    """Return OpenAI's shape; the code is the status as a string."""
    kind = TYPES.get(error.status, "invalid_request_error")
    fields = {"message": error.message, "type": kind, "param": None, "code": str(error.status)}
    return {"error": fields}


def error_event(message: str) -> bytes:
    """Return the event after which the stream ends, without `[DONE]`."""
    text = f"litellm.APIConnectionError: APIConnectionError: OpenAIException - {message}"
    return encode_event({"error": {"message": text, "type": None, "param": None, "code": "500"}})


def retry_headers(error: APIError) -> Headers:
    """Return the delay under the name that LiteLLM gives to the headers of the model's server."""
    if error.retry_after is None:
        return ()
    return ((b"llm_provider-retry-after", f"{error.retry_after:g}".encode()),)


LITELLM = Imitation(
    name="litellm",
    path="(?:/v1)?/chat/completions",
    headers=(
        (b"x-litellm-call-id", b"00000000-0000-0000-0000-000000000000"),
        (b"x-litellm-version", b"1.108.7"),
        (b"x-litellm-model-group", b"m"),
    ),
    # Choices omit a finish reason that is null; the usage chunk has a choice without text.
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        fields=FINGERPRINT,
        omits_null_finish_reason=True,
        usage_choices=({"index": 0, "delta": {}},),
    ),
    document=Document(
        fields=FINGERPRINT,
        choice={"provider_specific_fields": {}, "logprobs": None},
        message={"annotations": [], "refusal": None},
    ),
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="litellm.ContextWindowExceededError: litellm.BadRequestError:"
            " ContextWindowExceededError: OpenAIException - This model's maximum context length is"
            " 8192 tokens. However, your messages resulted in 10010 tokens. Please reduce the"
            " length of the messages.\nmodel=m. context_window_fallbacks=None. fallbacks=None."
            "\n\nSet 'context_window_fallback' - https://docs.litellm.ai/docs/routing#fallbacks"
            f"{NO_FALLBACK}",
        ),
        messages={
            401: "Authentication Error, No api key passed in.",
            404: "litellm.NotFoundError: NotFoundError: OpenAIException - The model does not"
            f" exist.{NO_FALLBACK}",
            429: "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for"
            f" {{model}}.{NO_FALLBACK}",
            500: "litellm.InternalServerError: InternalServerError: OpenAIException - The server"
            f" had an error while processing your request.{NO_FALLBACK}",
            503: "litellm.ServiceUnavailableError: ServiceUnavailableError: OpenAIException - The"
            f" engine is currently overloaded.{NO_FALLBACK}",
        },
        retry_headers=retry_headers,
    ),
    reasoning=reasoning_field("reasoning_content"),
    check_head=require_bearer("Authentication Error, No api key passed in."),
)
