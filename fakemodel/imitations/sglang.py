"""SGLang 0.5: python/sglang/srt/entrypoints/openai (serving_base, serving_chat, sse_utils)."""

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

TYPES = {400: "BadRequest", 404: "NotFound", 500: "InternalServerError", 503: "503"}


def error_fields(error: APIError) -> dict[str, Any]:
    return {
        "object": "error",
        "message": error.message,
        "type": TYPES.get(error.status, str(error.status)),
        "param": None,
        "code": error.status,
    }


def error_body(error: APIError) -> Any:
    """Return the flat shape; a missing key gives a string, and a gateway limits the rate."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return {"error": "Unauthorized"}
    return GATEWAY_429 if error.status == HTTPStatus.TOO_MANY_REQUESTS else error_fields(error)


def error_event(message: str) -> bytes:
    """Return the error in an object, and the end marker that follows it."""
    return encode_event({"error": error_fields(APIError(500, message))}) + DONE


SGLANG = Imitation(
    name="sglang",
    headers=((b"server", b"uvicorn"),),
    id_format="{id}",
    # Each delta has `reasoning_content`, null in deltas with text.
    stream=Stream(
        content_type=UTF8_EVENT_STREAM,
        first={"role": "assistant", "content": "", "reasoning_content": None},
        delta={"reasoning_content": None},
        last={"reasoning_content": None},
        choice={"logprobs": None, "matched_stop": None},
        last_choice={"matched_stop": 2},
    ),
    document=Document(
        fields={"metadata": {"weight_version": "default"}},
        choice={"logprobs": None, "matched_stop": 2},
        message={"reasoning_content": None},
    ),
    usage={"prompt_tokens_details": None, "reasoning_tokens": 0},
    errors=Errors(
        body=error_body,
        event=error_event,
        # python/sglang/srt/managers/tokenizer_manager.py.
        too_long=TooLong(
            message="The input (5000 tokens) is longer than the model's context length (4096"
            " tokens).",
        ),
        messages={
            500: "Internal server error: the generation failed",
            503: "The request queue is full.",
        },
    ),
    reasoning=reasoning_field("reasoning_content"),
)
