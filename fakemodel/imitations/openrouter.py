"""OpenRouter: comments while a model works, errors next to a choice, delays in the body."""

import time
from typing import Any

from fakemodel.errors import APIError, TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.checks import require_bearer
from fakemodel.imitations.error_bodies import no_retry_headers
from fakemodel.imitations.imitation import (
    Document,
    Errors,
    Fields,
    Imitation,
    Reasoning,
    Stream,
    Value,
)

# openrouter.ai/docs, "Streaming".
COMMENT = b": OPENROUTER PROCESSING\n\n"

CHOICE = {"native_finish_reason": None, "logprobs": None}


def error_body(error: APIError) -> dict[str, Any]:
    """Return the shape of openrouter.ai/docs, "Errors and Debugging".

    A rate limit repeats the headers of the limit in `metadata`: the reset is a time in milliseconds
    since the epoch. Users quote it with `"code":429` in many repositories. A `Retry-After` header
    is optional according to the page; none is sent here.
    """
    fields: dict[str, Any] = {"message": error.message, "code": error.status}
    if error.retry_after is not None:
        headers = {
            "X-RateLimit-Limit": "20",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(round((time.time() + error.retry_after) * 1000)),
        }
        fields["metadata"] = {"headers": headers, "provider_name": None}
    return {"error": fields, "user_id": "user_fakemodel"}


def error_event(message: str) -> bytes:
    """Return the error chunk of openrouter.ai/docs, "Handling errors during streaming"."""
    chunk = {
        "id": "gen-fakemodel",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": "fake",
        "provider": "fake",
        "error": {"code": "server_error", "message": message},
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
    }
    return encode_event(chunk)


def reasoning_delta(token: str) -> Fields:
    """Return a delta with `reasoning` and `reasoning_details` (docs, "Reasoning Tokens")."""
    details = [{"type": "reasoning.text", "text": token, "format": "unknown", "index": 0}]
    return {
        "role": "assistant",
        "content": "",
        "reasoning": token,
        "reasoning_details": details,
    }


OPENROUTER = Imitation(
    name="openrouter",
    path="/api/v1/chat/completions",
    headers=((b"x-generation-id", b"gen-fakemodel"), (b"access-control-allow-origin", b"*")),
    id_format="gen-{created}-{id}",
    # A recorded stream of 2026 (openai-compatible-chat/openrouter-streams-text): a comment first,
    # the role in every delta, a usage chunk whose choice has no text.
    stream=Stream(
        preamble=COMMENT * 2,
        fields={"provider": "OpenAI", "system_fingerprint": "fp_fakemodel"},
        first=None,
        delta={"role": "assistant"},
        choice=CHOICE,
        last={"role": "assistant", "content": ""},
        last_choice={"native_finish_reason": Value.FINISH_REASON},
        usage_choices=(
            {
                "index": 0,
                "delta": {"role": "assistant", "content": ""},
                "finish_reason": None,
                **CHOICE,
            },
        ),
    ),
    document=Document(
        fields={"provider": "OpenAI", "system_fingerprint": "fp_fakemodel"},
        choice={"logprobs": None, "native_finish_reason": Value.FINISH_REASON},
        message={"refusal": None, "reasoning": None},
    ),
    usage={
        "cost": 0.00014,
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": Value.REASONING_TOKENS},
    },
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="This endpoint's maximum context length is 131072 tokens. However, you"
            " requested about 150000 tokens (148976 of text input, 1024 in the output). Please"
            ' reduce the length of either one, or use the "middle-out" transform to compress your'
            " prompt automatically.",
        ),
        messages={
            401: "No auth credentials found",
            404: "No endpoints found for {model}.",
            429: "Rate limit exceeded: free-models-per-min. ",
            500: "Internal Server Error",
            502: "Provider returned error",
            503: "There is no available model provider that meets your routing requirements",
        },
        retry_headers=no_retry_headers,
    ),
    reasoning=Reasoning(
        delta=reasoning_delta,
        message=lambda reasoning, content: {"content": content, "reasoning": reasoning},
    ),
    check_head=require_bearer("No auth credentials found"),
)
