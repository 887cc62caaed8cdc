"""vLLM, current and earlier versions.

Sources: vllm/entrypoints/openai/chat_completion/serving.py and vllm/renderers/params (too long),
earlier vllm/entrypoints/openai/serving_chat.py.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.error_bodies import GATEWAY_429
from fakemodel.imitations.imitation import (
    DONE,
    UTF8_EVENT_STREAM,
    Document,
    Errors,
    Imitation,
    Stream,
    reasoning_field,
)

TYPES = {
    400: "BadRequestError",
    404: "NotFoundError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}


def error_fields(error: APIError) -> dict[str, Any]:
    return {
        "message": error.message,
        "type": TYPES.get(error.status, "BadRequestError"),
        "param": error.param,
        "code": error.status,
    }


def error_body(error: APIError) -> Any:
    """Return `{"error": {...}}`; a missing key gives a string, and a gateway limits the rate."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return {"error": "Unauthorized"}
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return GATEWAY_429
    return {"error": error_fields(error)}


def earlier_error_body(error: APIError) -> Any:
    """Return the flat shape, `{"object": "error", ...}`."""
    body = error_body(error)
    nested = isinstance(body, dict) and isinstance(body["error"], dict)
    return {"object": "error", **body["error"]} if nested else body


def error_event(message: str) -> bytes:
    """Return the error and the end marker that follows it."""
    return encode_event(error_body(APIError(500, message))) + DONE


def earlier_error_event(message: str) -> bytes:
    """Return the error in the flat shape and the end marker."""
    return encode_event(earlier_error_body(APIError(500, message))) + DONE


VLLM = Imitation(
    name="vllm",
    headers=((b"server", b"uvicorn"),),
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        choice={"logprobs": None},
        last=None,  # the finish reason is in the chunk with the last text
        last_choice={"stop_reason": None},
    ),
    document=Document(
        fields={
            "service_tier": None,
            "system_fingerprint": None,
            "prompt_logprobs": None,
            "kv_transfer_params": None,
        },
        choice={"logprobs": None, "stop_reason": None, "token_ids": None},
        message={
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            "tool_calls": [],
            "reasoning": None,
        },
    ),
    usage={"prompt_tokens_details": None},
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="This model's maximum context length is 4096 tokens. However, your request has"
            " 5000 input tokens. Please reduce the length of the input messages."
            " (parameter=input_tokens, value=5000)",
            param="input_tokens",
        ),
        messages={
            404: "The model `{model}` does not exist.",
            500: "Internal server error",
            503: "Server overloaded",
        },
    ),
    reasoning=reasoning_field("reasoning"),
)

EARLIER_VLLM = replace(
    VLLM,
    name="vllm-earlier",
    document=Document(
        fields={"prompt_logprobs": None},
        choice={"logprobs": None, "stop_reason": None},
        message={"reasoning_content": None, "tool_calls": []},
    ),
    errors=replace(
        VLLM.errors,
        body=earlier_error_body,
        event=earlier_error_event,
        # docs/cases.md C08; vllm-project/vllm#20828.
        too_long=TooLong(
            message="The decoder prompt (length 5000) is longer than the maximum model length of"
            " 4096. Make sure that `max_model_len` is no smaller than the number of text tokens.",
        ),
    ),
    reasoning=reasoning_field("reasoning_content"),
)
