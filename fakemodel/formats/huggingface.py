"""Hugging Face text generation: `POST /models/<name>`, and the paths of TGI."""

from typing import Any

import orjson

from fakemodel.calls import (
    Call,
    count_field,
    flag_field,
    object_field,
    parse_body,
    stop_field,
    text_field,
)
from fakemodel.errors import APIError, ErrorResponse, TooLong, retry_after
from fakemodel.formats.base import JSON, Format, Rendering, escape_token
from fakemodel.formats.sse import EVENT_STREAM
from fakemodel.plain_prompt import parse_prompt
from fakemodel.replies.reply import Reply

ERROR_TYPES = {400: "validation", 422: "validation", 429: "overloaded", 503: "overloaded"}

TOO_LONG = TooLong(
    status=422,
    message="Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096."
    " Given: 5000 `inputs` tokens and 1024 `max_new_tokens`",
)

MODELS = "/models/"
DEFAULT_MODEL = "tgi"


def parse(body: bytes, path: str) -> Call:
    """Return the call in `body`; raises APIError (400)."""
    fields = parse_body(body)
    parameters = object_field(fields, "parameters")
    is_hosted = path.startswith(MODELS)
    prompt = text_field(fields, "inputs")
    return Call(
        format="huggingface",
        model=path.removeprefix(MODELS) if is_hosted else DEFAULT_MODEL,
        messages=parse_prompt(prompt),
        prompt=prompt,
        stream=path == "/generate_stream" or flag_field(fields, "stream", default=False),
        max_tokens=count_field(parameters, "max_new_tokens"),
        stop_sequences=stop_field(parameters, "stop", "stop_sequences"),
        # By default Hugging Face's hosted models repeat the prompt and TGI does not.
        return_full_text=flag_field(parameters, "return_full_text", default=is_hosted),
        wait_for_model=flag_field(object_field(fields, "options"), "wait_for_model", default=False),
        details=flag_field(parameters, "details", default=False),
        as_list=is_hosted or path == "/",
    )


def render(call: Call, reply: Reply, _reply_id: str, *, unknown_fields: bool) -> Rendering:
    """Return `reply` as JSON or as a stream."""
    prompt = call.prompt or "" if call.return_full_text else ""
    extra = b'"x_unknown":{"a":[1,null]},' if unknown_fields else b""
    if call.stream:
        return _render_stream(reply, prompt, extra)
    details = b',"details":%b' % orjson.dumps(_details(call, reply)) if call.details else b""
    opening, closing = (b"[", b"]") if call.as_list else (b"", b"")
    return Rendering(
        content_type=JSON,
        head=b'%b{%b"generated_text":"%b' % (opening, extra, escape_token(0, prompt)),
        encode_token=escape_token,
        tail=b'%b"%b}%b' % (escape_token(0, reply.stop_sequence), details, closing),
    )


def _render_stream(reply: Reply, prompt: str, extra: bytes) -> Rendering:
    """Return TGI's token events.

    The last event has the complete text. It is a special token, unless the reply ends by length.
    """
    text = orjson.dumps(prompt + reply.text + reply.stop_sequence)
    details = orjson.dumps(_finish_details(reply))
    count = len(reply.tokens)
    if reply.finish_reason == "length" and reply.tokens:
        last, special = reply.tokens[-1], False
    else:
        count += 1
        last, special = reply.stop_sequence or "</s>", not reply.stop_sequence

    def encode_token(index: int, token: str) -> bytes:
        if reply.finish_reason == "length" and index == len(reply.tokens) - 1:
            return b""  # part of the last event
        return _token_event(extra, index + 1, token, special=False)

    return Rendering(
        content_type=EVENT_STREAM,
        head=b"",
        encode_token=encode_token,
        tail=_token_event(extra, count, last, special=special, text=text, details=details),
    )


def _token_event(
    extra: bytes,
    index: int,
    token: str,
    *,
    special: bool,
    text: bytes = b"null",
    details: bytes = b"null",
) -> bytes:
    """Return one event of a TGI stream, which has no space after the colon."""
    return (
        b'data:{%b"index":%d,"token":{"id":%d,"text":%b,"logprob":-0.25,"special":%b},'
        b'"generated_text":%b,"details":%b}\n\n'
    ) % (
        extra,
        index,
        2 if special else 1000 + index,
        orjson.dumps(token),
        b"true" if special else b"false",
        text,
        details,
    )


def _finish_details(reply: Reply) -> dict[str, Any]:
    """Return TGI's finish reason and counts; TGI has no content filter."""
    reason = "stop_sequence" if reply.stop_sequence else "eos_token"
    return {
        "finish_reason": "length" if reply.finish_reason == "length" else reason,
        "generated_tokens": len(reply.tokens),
        "seed": None,
        "input_length": reply.prompt_tokens,
    }


def _details(call: Call, reply: Reply) -> dict[str, Any]:
    """Return the `details` of a JSON response."""
    return _finish_details(reply) | {"prefill": [], "tokens": [], "model": call.model}


def encode_error(error: APIError) -> ErrorResponse:
    """Return an error with the loading time or TGI's error type."""
    body: dict[str, Any] = {"error": error.message}
    if error.estimated_time is not None:
        body["estimated_time"] = error.estimated_time
    elif error.status in ERROR_TYPES:
        body["error_type"] = ERROR_TYPES[error.status]
    return ErrorResponse(error.status, JSON, orjson.dumps(body), retry_after(error))


def encode_error_event(message: str) -> bytes:
    """Return an error as TGI sends it within a stream."""
    return b"data:%b\n\n" % orjson.dumps({"error": message, "error_type": "generation"})


HUGGINGFACE = Format(
    name="huggingface",
    parse=parse,
    render=render,
    encode_error=encode_error,
    encode_error_event=encode_error_event,
    too_long=TOO_LONG,
)
