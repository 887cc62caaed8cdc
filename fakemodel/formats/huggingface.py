"""Hugging Face text-generation: `POST /models/<name>`, and TGI's own paths."""

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
from fakemodel.errors import Refused
from fakemodel.formats.sse import EVENT_STREAM, JSON, Format, Rendering, escaped
from fakemodel.plain_prompt import parse_transcript
from fakemodel.replies.reply import Reply

ERROR_TYPES = {400: "validation", 422: "validation", 429: "overloaded", 503: "overloaded"}

MODELS = "/models/"
DEFAULT_MODEL = "tgi"


def parse(body: bytes, path: str) -> Call:
    """The call in `body`; raises Refused (400). TGI's own paths are plain where HF's are listed."""
    fields = parse_body(body)
    parameters = object_field(fields, "parameters")
    hosted = path.startswith(MODELS)
    prompt = text_field(fields, "inputs")
    return Call(
        format="huggingface",
        model=path.removeprefix(MODELS) if hosted else DEFAULT_MODEL,
        messages=parse_transcript(prompt),
        prompt=prompt,
        stream=path == "/generate_stream" or flag_field(fields, "stream", default=False),
        max_tokens=count_field(parameters, "max_new_tokens"),
        stop=stop_field(parameters, "stop", "stop_sequences"),
        # Hugging Face's hosted models repeat the prompt unless told not to; TGI does not.
        full_text=flag_field(parameters, "return_full_text", default=hosted),
        wait_for_model=flag_field(object_field(fields, "options"), "wait_for_model", default=False),
        details=flag_field(parameters, "details", default=False),
        listed=hosted or path == "/",
    )


def render(call: Call, reply: Reply, _reply_id: str, *, odd: bool) -> Rendering:
    """The bytes of `reply`, as a stream or whole."""
    shown = call.prompt or "" if call.full_text else ""
    extra = b'"x_unknown":{"a":[1,null]},' if odd else b""
    if call.stream:
        return render_stream(reply, shown, extra)
    told = b',"details":%b' % orjson.dumps(details(call, reply)) if call.details else b""
    opening, closing = (b"[", b"]") if call.listed else (b"", b"")
    return Rendering(
        content_type=JSON,
        head=b'%b{%b"generated_text":"%b' % (opening, extra, escaped(0, shown)),
        piece=escaped,
        tail=b'%b"%b}%b' % (escaped(0, reply.stopped_by), told, closing),
    )


def render_stream(reply: Reply, shown: str, extra: bytes) -> Rendering:
    """TGI's token events; the last carries the whole text, and is special unless cut by length."""
    text = orjson.dumps(shown + reply.text + reply.stopped_by)
    told = orjson.dumps(finish(reply))
    number = len(reply.tokens)
    if reply.finish == "length" and reply.tokens:
        last, special = reply.tokens[-1], False
    else:
        number += 1
        last, special = reply.stopped_by or "</s>", not reply.stopped_by

    def piece(index: int, token: str) -> bytes:
        if reply.finish == "length" and index == len(reply.tokens) - 1:
            return b""  # the last event carries it
        return token_event(extra, index + 1, token, special=False)

    return Rendering(
        content_type=EVENT_STREAM,
        head=b"",
        piece=piece,
        tail=token_event(extra, number, last, special=special, text=text, details=told),
    )


def token_event(
    extra: bytes,
    index: int,
    token: str,
    *,
    special: bool,
    text: bytes = b"null",
    details: bytes = b"null",
) -> bytes:
    """One event of a TGI stream, which has no space after the colon."""
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


def finish(reply: Reply) -> dict[str, Any]:
    """TGI's account of how the reply ended. It knows no content filter."""
    reason = "stop_sequence" if reply.stopped_by else "eos_token"
    return {
        "finish_reason": "length" if reply.finish == "length" else reason,
        "generated_tokens": len(reply.tokens),
        "seed": None,
        "input_length": reply.prompt_tokens,
    }


def details(call: Call, reply: Reply) -> dict[str, Any]:
    """The same in a plain answer, where it may hold more."""
    return finish(reply) | {"prefill": [], "tokens": [], "model": call.model}


def error(refused: Refused) -> bytes:
    """The body of an error: a text, a type in TGI's words, the loading time where there is one."""
    body: dict[str, Any] = {"error": refused.message}
    if refused.estimated_time is not None:
        body["estimated_time"] = refused.estimated_time
    elif refused.status in ERROR_TYPES:
        body["error_type"] = ERROR_TYPES[refused.status]
    return orjson.dumps(body)


def error_event(message: str) -> bytes:
    """What TGI puts into a stream that fails."""
    return b"data:%b\n\n" % orjson.dumps({"error": message, "error_type": "generation"})


HUGGINGFACE = Format(
    name="huggingface", parse=parse, render=render, error=error, error_event=error_event
)
