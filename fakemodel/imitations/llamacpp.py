"""llama.cpp's llama-server: tools/server/server-task.cpp and server-common.cpp."""

from http import HTTPStatus
from typing import Any

import orjson

from fakemodel.errors import APIError, TooLong
from fakemodel.imitations.error_bodies import GATEWAY_429
from fakemodel.imitations.imitation import (
    Document,
    Errors,
    Imitation,
    Stream,
    Value,
    reasoning_field,
)

TIMINGS = {
    "cache_n": 0,
    "prompt_n": Value.PROMPT_TOKENS,
    "prompt_ms": 25.1,
    "prompt_per_token_ms": 2.1,
    "prompt_per_second": 478.1,
    "predicted_n": Value.COMPLETION_TOKENS,
    "predicted_ms": 61.5,
    "predicted_per_token_ms": 15.4,
    "predicted_per_second": 65.0,
}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    500: "server_error",
    501: "not_supported_error",
    503: "unavailable_error",
}
TOO_LONG = "exceed_context_size_error"


def error_body(error: APIError) -> Any:
    """Return code, message, type; a prompt that is too long has two counts as well."""
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return GATEWAY_429
    fields: dict[str, Any] = {
        "code": error.status,
        "message": error.message,
        "type": error.code or TYPES.get(error.status, "invalid_request_error"),
    }
    if error.code == TOO_LONG:
        fields |= {"n_prompt_tokens": 5000, "n_ctx": 4096}
    return {"error": fields}


def error_event(message: str) -> bytes:
    """Return an SSE field named `error`, as versions until 2025 send it (docs/cases.md C15).

    Current ones send it as `data`.
    """
    return b"error: %b\n\n" % orjson.dumps(error_body(APIError(500, message))["error"])


LLAMACPP = Imitation(
    name="llamacpp",
    headers=((b"server", b"llama.cpp"), (b"access-control-allow-origin", b"")),
    stream=Stream(
        fields={"system_fingerprint": "b6000-fakemodel"},
        first={"role": "assistant", "content": None},
        # With usage, the timings are in the chunk after this one.
        last_fields={"timings": TIMINGS},
    ),
    document=Document(
        fields={"system_fingerprint": "b6000-fakemodel"}, usage_fields={"timings": TIMINGS}
    ),
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=TooLong(
            message="request (5000 tokens) exceeds the available context size (4096 tokens), try"
            " increasing it",
            code=TOO_LONG,
        ),
        messages={
            401: "Invalid API Key",
            404: "File Not Found",
            500: "Failed to decode the batch",
            503: "Loading model",
        },
    ),
    # `--reasoning-format none` leaves `<think>` in the text: the directive `think`.
    reasoning=reasoning_field("reasoning_content"),
)
