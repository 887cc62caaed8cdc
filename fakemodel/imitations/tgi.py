"""Hugging Face TGI 3: router/src/server.rs, chat.rs, infer/mod.rs, validation.rs."""

from typing import Any

import orjson

from fakemodel.errors import APIError
from fakemodel.formats.huggingface import HUGGINGFACE
from fakemodel.imitations.checks import limit_stops
from fakemodel.imitations.imitation import (
    Document,
    Errors,
    Imitation,
    Stream,
)

DONE = b"data:[DONE]\n\n"

FINGERPRINT = {"system_fingerprint": "3.3.4-native"}
TYPES = {422: "validation", 424: "generation", 429: "overloaded", 503: "overloaded"}
# A failed generation is 424, invalid input 422.
STATUSES = {400: 422, 500: 424}


def error_body(error: APIError) -> dict[str, Any]:
    """Return the message as a string, and its type."""
    status = STATUSES.get(error.status, error.status)
    return {"error": error.message, "error_type": TYPES.get(status, "incomplete_generation")}


def error_event(message: str) -> bytes:
    """Return `OpenaiErrorEvent`, whose status is 422 whatever failed, and the end marker."""
    text = f"Request failed during generation: {message}"
    event = {"error": {"message": text, "http_status_code": 422}}
    return b"data:%b\n\n%b" % (orjson.dumps(event), DONE)


TGI = Imitation(
    name="tgi",
    paths={"/": HUGGINGFACE, "/generate": HUGGINGFACE, "/generate_stream": HUGGINGFACE},
    headers=((b"x-compute-type", b"cpu"), (b"x-accel-buffering", b"no")),
    id_format="",
    # Every delta has the role. axum (axum/src/response/sse.rs) writes no space after the colon, and
    # sends empty comments as keep-alive.
    stream=Stream(
        prefix=b"data:",
        preamble=b":\n\n",
        fields={**FINGERPRINT, "usage": None},
        first=None,
        delta={"role": "assistant"},
        last={"role": "assistant", "content": ""},
        choice={"logprobs": None},
        terminator=DONE,
    ),
    document=Document(fields=FINGERPRINT, choice={"logprobs": None}),
    errors=Errors(
        body=error_body,
        event=error_event,
        too_long=HUGGINGFACE.too_long,
        messages={
            404: "No fast tokenizer available",
            429: "Model is overloaded",
            500: "Request failed during generation: Server error: CUDA out of memory",
            503: "Model is overloaded",
        },
        statuses=STATUSES,
    ),
    finish_reasons={"content_filter": "stop"},
    includes_stop_sequence=True,
    check_call=limit_stops(
        4,
        "Input validation error: `stop` supports up to 4 stop sequences. Given: {count}",
        status=422,
    ),
)
