"""OpenAI chat completions: `POST /v1/chat/completions`."""

import time
from typing import Any

import orjson

from fakemodel.calls import (
    Call,
    Message,
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
    SYSTEM_FINGERPRINT,
    Format,
    Rendering,
    escaped,
    event,
    token_events,
    usage,
)
from fakemodel.replies.reply import Reply

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def parse(body: bytes, _path: str) -> Call:
    """The call in `body`; raises Refused (400)."""
    fields = parse_body(body)
    if fields.get("n", 1) != 1:
        raise malformed("Only one choice (n=1) is supported.", "n")
    return Call(
        format="chat",
        model=text_field(fields, "model"),
        messages=parse_messages(fields.get("messages")),
        stream=flag_field(fields, "stream", default=False),
        max_tokens=count_field(fields, "max_completion_tokens", "max_tokens"),
        stop=stop_field(fields, "stop"),
        include_usage=flag_field(
            object_field(fields, "stream_options"), "include_usage", default=False
        ),
    )


def parse_messages(value: Any) -> tuple[Message, ...]:
    """The messages in the field of that name; raises Refused (400)."""
    if not isinstance(value, list) or not value:
        raise malformed("'messages' is required and must be a list with entries.", "messages")
    return tuple(parse_message(entry, number) for number, entry in enumerate(value))


def parse_message(entry: Any, number: int) -> Message:
    """One message; raises Refused (400)."""
    if not isinstance(entry, dict) or entry.get("role") not in ROLES:
        raise malformed(f"'messages[{number}]' needs a known role.", f"messages[{number}].role")
    content = entry.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if content is None and entry["role"] == "assistant":
        content = ""
    if not isinstance(content, str):
        where = f"messages[{number}].content"
        raise malformed(f"'{where}' must be a string or a list of parts.", where)
    return Message(entry["role"], content)


def render(call: Call, reply: Reply, reply_id: str, *, odd: bool) -> Rendering:
    """The bytes of `reply`, as a stream or whole."""
    if call.stream:
        return render_stream(call, reply, reply_id, odd=odd)
    return render_whole(call, reply, reply_id, odd=odd)


def render_whole(call: Call, reply: Reply, reply_id: str, *, odd: bool) -> Rendering:
    """One `chat.completion` object."""
    extra = b'"tool_calls":[],"reasoning_content":null,"x_unknown":{"a":[1,null]},' if odd else b""
    head = b'%b,"choices":[{"index":0,"message":{%b"role":"assistant","content":"' % (
        opened(call, reply_id, b"chat.completion"),
        extra,
    )
    told = b',"usage":%b' % orjson.dumps(usage(reply)) if reply.tells_usage else b""
    tail = b'","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%b"}]%b}' % (
        reply.finish.encode(),
        told,
    )
    return Rendering(content_type=JSON, head=head, piece=escaped, tail=tail)


def render_stream(call: Call, reply: Reply, reply_id: str, *, odd: bool) -> Rendering:
    """`chat.completion.chunk` events: a role, a token each, the finish reason, then the usage."""
    start = b'%b,"choices":[' % opened(call, reply_id, b"chat.completion.chunk")
    # With usage asked for, every chunk but the last carries a null.
    close = b'],"usage":null}' if call.include_usage else b"]}"
    choice = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}'
    role = choice % (b'{"role":"assistant","content":"","refusal":null}', b"null")
    last = choice % (b"{}", b'"%b"' % reply.finish.encode())
    tail = b"data: %b%b%b\n\n" % (start, last, close)
    if call.include_usage and reply.tells_usage:
        tail += b'data: %b],"usage":%b}\n\n' % (start, orjson.dumps(usage(reply)))
    return Rendering(
        content_type=EVENT_STREAM,
        head=b"data: %b%b%b\n\n" % (start, role, close) + (odd_events(start) if odd else b""),
        piece=token_events(
            b'%b{"index":0,"delta":{"content":' % start,
            b'},"logprobs":null,"finish_reason":null}%b' % close,
        ),
        tail=tail,
        end=DONE,
    )


def odd_events(start: bytes) -> bytes:
    """Chunks that some vendors send and that carry no text."""
    deltas = (
        b'{"content":null,"reasoning_content":"Let me think."}',
        b'{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"look_up","arguments":"{}"}}]}',
        b'{"x_unknown":{"a":[1,null]}}',
        b"null",
    )
    choice = b'{"index":0,"delta":%b,"finish_reason":null}'
    chunks = b"".join(b"data: %b%b]}\n\n" % (start, choice % delta) for delta in deltas)
    return b"data: %b]}\n\n%b%b" % (start, chunks, event({"x_unknown": True}))


def opened(call: Call, reply_id: str, kind: bytes) -> bytes:
    """The beginning of an object, without its closing brace: what all chunks share."""
    return (
        b'{"id":"chatcmpl-%b","object":"%b","created":%d,"model":%b,"system_fingerprint":"%b"'
        % (
            reply_id.encode(),
            kind,
            int(time.time()),
            orjson.dumps(call.model),
            SYSTEM_FINGERPRINT.encode(),
        )
    )


CHAT = Format(name="chat", parse=parse, render=render, error=error, error_event=error_event)
