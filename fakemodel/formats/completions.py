"""OpenAI completions: `POST /v1/completions`, a flat prompt in, its continuation out."""

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
from fakemodel.errors import malformed
from fakemodel.formats.openai_common import error, error_event
from fakemodel.formats.sse import (
    DONE,
    EVENT_STREAM,
    JSON,
    Format,
    Rendering,
    escaped,
    event,
    token_events,
    usage,
)
from fakemodel.plain_prompt import parse_transcript
from fakemodel.replies.reply import Reply


def parse(body: bytes, _path: str) -> Call:
    """The call in `body`; raises Refused (400)."""
    fields = parse_body(body)
    if fields.get("n", 1) != 1 or fields.get("best_of", 1) != 1:
        raise malformed("Only one choice (n=1, best_of=1) is supported.", "n")
    prompt = text_field(fields, "prompt")
    return Call(
        format="completions",
        model=text_field(fields, "model"),
        messages=parse_transcript(prompt),
        prompt=prompt,
        stream=flag_field(fields, "stream", default=False),
        max_tokens=count_field(fields, "max_tokens"),
        stop=stop_field(fields, "stop"),
        include_usage=flag_field(
            object_field(fields, "stream_options"), "include_usage", default=False
        ),
    )


def render(call: Call, reply: Reply, reply_id: str, *, odd: bool) -> Rendering:
    """The bytes of `reply`, as a stream or whole."""
    start = b'{"id":"cmpl-%b","object":"text_completion","created":%d,"model":%b,%b"choices":[' % (
        reply_id.encode(),
        int(time.time()),
        orjson.dumps(call.model),
        b'"x_unknown":{"a":[1,null]},' if odd else b"",
    )
    if call.stream:
        return render_stream(call, reply, start, odd=odd)
    told = b',"usage":%b' % orjson.dumps(usage(reply)) if reply.tells_usage else b""
    return Rendering(
        content_type=JSON,
        head=start + b'{"text":"',
        piece=escaped,
        tail=b'","index":0,"logprobs":null,"finish_reason":"%b"}]%b}'
        % (reply.finish.encode(), told),
    )


def render_stream(call: Call, reply: Reply, start: bytes, *, odd: bool) -> Rendering:
    """`text_completion` events: a token each, the finish reason, then the usage if asked for."""
    close = b'],"usage":null}' if call.include_usage else b"]}"
    after = b',"index":0,"logprobs":null,"finish_reason":'
    tail = b'data: %b{"text":""%b"%b"}%b\n\n' % (start, after, reply.finish.encode(), close)
    if call.include_usage and reply.tells_usage:
        tail += b'data: %b],"usage":%b}\n\n' % (start, orjson.dumps(usage(reply)))
    return Rendering(
        content_type=EVENT_STREAM,
        head=b"data: %b]}\n\n%b" % (start, event({"x_unknown": True})) if odd else b"",
        piece=token_events(start + b'{"text":', after + b"null}" + close),
        tail=tail,
        end=DONE,
    )


COMPLETIONS = Format(
    name="completions", parse=parse, render=render, error=error, error_event=error_event
)
