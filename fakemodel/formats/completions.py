"""OpenAI completions: `POST /v1/completions`, a plain-text prompt and its continuation."""

import time

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
from fakemodel.errors import bad_request
from fakemodel.formats.base import JSON, Format, Rendering, escape_token
from fakemodel.formats.openai_common import (
    DONE,
    TOO_LONG,
    encode_error,
    encode_error_event,
    usage,
)
from fakemodel.formats.sse import EVENT_STREAM, encode_event, token_encoder
from fakemodel.plain_prompt import parse_prompt
from fakemodel.replies.reply import Reply


def parse(body: bytes, _path: str) -> Call:
    """Return the call in `body`; raises APIError (400)."""
    fields = parse_body(body)
    if fields.get("n", 1) != 1 or fields.get("best_of", 1) != 1:
        raise bad_request("Only one choice (n=1, best_of=1) is supported.", "n")
    prompt = text_field(fields, "prompt")
    return Call(
        format="completions",
        model=text_field(fields, "model"),
        messages=parse_prompt(prompt),
        prompt=prompt,
        stream=flag_field(fields, "stream", default=False),
        max_tokens=count_field(fields, "max_tokens"),
        stop_sequences=stop_field(fields, "stop"),
        include_usage=flag_field(
            object_field(fields, "stream_options"), "include_usage", default=False
        ),
    )


def render(call: Call, reply: Reply, reply_id: str, *, unknown_fields: bool) -> Rendering:
    """Return `reply` as JSON or as a stream."""
    start = b'{"id":"cmpl-%b","object":"text_completion","created":%d,"model":%b,%b"choices":[' % (
        reply_id.encode(),
        int(time.time()),
        orjson.dumps(call.model),
        b'"x_unknown":{"a":[1,null]},' if unknown_fields else b"",
    )
    if call.stream:
        return _render_stream(call, reply, start, unknown_fields=unknown_fields)
    return Rendering(
        content_type=JSON,
        head=start + b'{"text":"',
        encode_token=escape_token,
        tail=b'","index":0,"logprobs":null,"finish_reason":"%b"}]%b}'
        % (
            reply.finish_reason.encode(),
            b',"usage":%b' % orjson.dumps(usage(reply)) if reply.has_usage else b"",
        ),
    )


def _render_stream(call: Call, reply: Reply, start: bytes, *, unknown_fields: bool) -> Rendering:
    """Return `text_completion` events: tokens, finish reason, usage."""
    close = b'],"usage":null}' if call.include_usage else b"]}"
    after = b',"index":0,"logprobs":null,"finish_reason":'
    tail = b'data: %b{"text":""%b"%b"}%b\n\n' % (start, after, reply.finish_reason.encode(), close)
    if call.include_usage and reply.has_usage:
        tail += b'data: %b],"usage":%b}\n\n' % (start, orjson.dumps(usage(reply)))
    extra = b"data: %b]}\n\n%b" % (start, encode_event({"x_unknown": True}))
    return Rendering(
        content_type=EVENT_STREAM,
        head=extra if unknown_fields else b"",
        encode_token=token_encoder(start + b'{"text":', after + b"null}" + close),
        tail=tail,
        terminator=DONE,
    )


COMPLETIONS = Format(
    name="completions",
    parse=parse,
    render=render,
    encode_error=encode_error,
    encode_error_event=encode_error_event,
    too_long=TOO_LONG,
)
