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
from fakemodel.errors import bad_request
from fakemodel.formats.base import JSON, Format, Rendering, escape_token
from fakemodel.formats.openai_common import (
    DONE,
    SYSTEM_FINGERPRINT,
    TOO_LONG,
    encode_error,
    encode_error_event,
    usage,
)
from fakemodel.formats.sse import EVENT_STREAM, encode_event, token_encoder
from fakemodel.replies.reply import Reply

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def parse(body: bytes, _path: str) -> Call:
    """Return the call in `body`; raises APIError (400)."""
    return parse_fields(parse_body(body))


def parse_fields(fields: dict[str, Any]) -> Call:
    """Return the call in the fields of a body; raises APIError (400)."""
    if fields.get("n", 1) != 1:
        raise bad_request("Only one choice (n=1) is supported.", "n")
    return Call(
        format="chat",
        model=text_field(fields, "model"),
        messages=_parse_messages(fields.get("messages")),
        stream=flag_field(fields, "stream", default=False),
        max_tokens=count_field(fields, "max_completion_tokens", "max_tokens"),
        stop_sequences=stop_field(fields, "stop"),
        include_usage=flag_field(
            object_field(fields, "stream_options"), "include_usage", default=False
        ),
    )


def _parse_messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise bad_request("'messages' is required and must be a non-empty list.", "messages")
    return tuple(_parse_message(fields, index) for index, fields in enumerate(value))


def _parse_message(fields: Any, index: int) -> Message:
    if not isinstance(fields, dict) or fields.get("role") not in ROLES:
        name = f"messages[{index}].role"
        raise bad_request(f"'{name}' must be a known role.", name)
    content = fields.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if content is None and fields["role"] == "assistant":
        content = ""
    if not isinstance(content, str):
        name = f"messages[{index}].content"
        raise bad_request(f"'{name}' must be a string or a list of parts.", name)
    return Message(fields["role"], content)


def render(call: Call, reply: Reply, reply_id: str, *, unknown_fields: bool) -> Rendering:
    """Return `reply` as JSON or as a stream."""
    if call.stream:
        return _render_stream(call, reply, reply_id, unknown_fields=unknown_fields)
    return _render_json(call, reply, reply_id, unknown_fields=unknown_fields)


def _render_json(call: Call, reply: Reply, reply_id: str, *, unknown_fields: bool) -> Rendering:
    """Return one `chat.completion` object."""
    extra = b'"tool_calls":[],"reasoning_content":null,"x_unknown":{"a":[1,null]},'
    reasoning = b'"reasoning_content":%b,' % orjson.dumps("".join(reply.reasoning))
    head = b'%b,"choices":[{"index":0,"message":{%b%b"role":"assistant","content":"' % (
        _shared_fields(call, reply_id, b"chat.completion"),
        extra if unknown_fields else b"",
        reasoning if reply.reasoning else b"",
    )
    tail = b'","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%b"}]%b}' % (
        reply.finish_reason.encode(),
        b',"usage":%b' % orjson.dumps(usage(reply)) if reply.has_usage else b"",
    )
    return Rendering(content_type=JSON, head=head, encode_token=escape_token, tail=tail)


def _render_stream(call: Call, reply: Reply, reply_id: str, *, unknown_fields: bool) -> Rendering:
    """Return `chat.completion.chunk` events: role, tokens, finish reason, usage."""
    start = b'%b,"choices":[' % _shared_fields(call, reply_id, b"chat.completion.chunk")
    # With `include_usage`, every chunk except the last has a null.
    close = b'],"usage":null}' if call.include_usage else b"]}"
    choice = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}'
    role = choice % (b'{"role":"assistant","content":"","refusal":null}', b"null")
    last = choice % (b"{}", b'"%b"' % reply.finish_reason.encode())
    tail = b"data: %b%b%b\n\n" % (start, last, close)
    if call.include_usage and reply.has_usage:
        tail += b'data: %b],"usage":%b}\n\n' % (start, orjson.dumps(usage(reply)))
    extra = _unknown_events(start) if unknown_fields else b""
    reasoning = b"".join(
        b"data: %b%b%b\n\n"
        % (start, choice % (orjson.dumps({"reasoning_content": token}), b"null"), close)
        for token in reply.reasoning
    )
    return Rendering(
        content_type=EVENT_STREAM,
        head=b"data: %b%b%b\n\n%b%b" % (start, role, close, extra, reasoning),
        encode_token=token_encoder(
            b'%b{"index":0,"delta":{"content":' % start,
            b'},"logprobs":null,"finish_reason":null}%b' % close,
        ),
        tail=tail,
        terminator=DONE,
    )


def _unknown_events(start: bytes) -> bytes:
    """Return chunks without text, as some vendors send them."""
    deltas = (
        b'{"content":null,"reasoning_content":"Let me think."}',
        b'{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"search","arguments":"{}"}}]}',
        b'{"x_unknown":{"a":[1,null]}}',
        b"null",
    )
    choice = b'{"index":0,"delta":%b,"finish_reason":null}'
    chunks = b"".join(b"data: %b%b]}\n\n" % (start, choice % delta) for delta in deltas)
    return b"data: %b]}\n\n%b%b" % (start, chunks, encode_event({"x_unknown": True}))


def _shared_fields(call: Call, reply_id: str, kind: bytes) -> bytes:
    """Return the opening brace and the fields that all chunks share."""
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


CHAT = Format(
    name="chat",
    parse=parse,
    render=render,
    encode_error=encode_error,
    encode_error_event=encode_error_event,
    too_long=TOO_LONG,
)
