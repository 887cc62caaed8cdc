"""What model servers and gateways send instead of what their format says, and how it is read."""

import gzip
import json
import re
import socket
import time
import zlib
from typing import Any

import pytest

from chat.domain import Completion, FinishReason, Reasoning, UsageSource
from chat.domain.errors import ModelInvalidResponse, ModelUnavailable, ProviderError
from tests.integration.providers.calls import (
    Stream,
    complete,
    create_provider,
    items_of,
    long_timeouts,
    reply_to,
)
from tests.integration.providers.raw_server import (
    END,
    STREAM,
    D,
    E,
    H,
    RawServer,
    X,
    chunk,
    json_response,
    read_request,
    respond,
)

STOP = Completion(finish_reason=FinishReason.STOP)
HELLO_DOCUMENT = b'{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'


# Seconds. A shorter time between events makes the wait for the tail shorter, too.
TAIL_TIMEOUT = 0.3
SHORT_TAIL = long_timeouts(between_events=2 * TAIL_TIMEOUT)


def head(content_type: str | None, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Connection: close", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def events(*chunks: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in chunks)


def text_chunk(text: Any, reason: object = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"choices": [choice], **fields}


# The format


@pytest.mark.case("C01")
@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "text/plain", "application/json", "text/html; charset=utf-8"),
        *("application/octet-stream", "nonsense", "TEXT/EVENT-STREAM; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"\n\r\n", b": ping\n\n", b"id: 1\n"])
@pytest.mark.parametrize("stream", [True, False])
def test_stream_with_any_content_type_is_read(
    content_type: str | None, prefix: bytes, *, stream: bool
) -> None:
    reply = reply_to(head(content_type), prefix + D + E + X, stream=stream)
    assert reply == ("Hello", STOP)


@pytest.mark.case("C01")
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "text/event-stream", "application/problem+json"]
)
@pytest.mark.parametrize(
    "body",
    [
        HELLO_DOCUMENT,
        b"\xef\xbb\xbf" + HELLO_DOCUMENT,
        b"\n \n" + HELLO_DOCUMENT + b"\n",
        json.dumps(json.loads(HELLO_DOCUMENT), indent=4).encode(),
        b"[" + HELLO_DOCUMENT + b"]",
        b"data: " + HELLO_DOCUMENT + b"\n\n",
        HELLO_DOCUMENT + b"\ndata: [DONE]\n\n",
    ],
    ids=["plain", "bom", "blank", "indented", "list", "event", "done"],
)
def test_document_with_any_content_type_is_read(content_type: str | None, body: bytes) -> None:
    assert reply_to(head(content_type), body) == ("Hello", STOP)


@pytest.mark.case("C01")
@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json", None])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_json_lines_are_read(content_type: str | None, end: bytes) -> None:
    chunks = [text_chunk("Hel"), text_chunk("lo"), text_chunk(None, "stop")]
    lines = b"".join(json.dumps(each).encode() + end for each in chunks)
    assert reply_to(head(content_type), lines) == ("Hello", STOP)
    with pytest.raises(ModelInvalidResponse):
        reply_to(head(content_type), lines[: lines.index(end) + 1])


@pytest.mark.case("C01")
def test_json_lines_are_yielded_as_they_arrive() -> None:
    first = json.dumps(text_chunk("Hel")).encode() + b"\n"
    with RawServer(respond(head(None), first)) as server:
        stream = Stream(create_provider(server, timeouts=long_timeouts()))
        assert next(stream) == "Hel"


@pytest.mark.case("C01")
def test_body_in_single_bytes_is_read() -> None:
    body = b"\xef\xbb\xbf" + D + E + X
    assert reply_to(head("text/plain"), *(bytes([byte]) for byte in body)) == ("Hello", STOP)


@pytest.mark.case("C01")
@pytest.mark.parametrize("status", ["201 Created", "202 Accepted", "299 Odd"])
def test_any_success_is_read(status: str) -> None:
    assert reply_to(H.replace(b"200 OK", status.encode()) + D + E + X) == ("Hello", STOP)


@pytest.mark.case("C01")
def test_completions_and_text_generation_are_detected_too() -> None:
    event = b'data: {"choices":[{"text":"Hello","finish_reason":"stop"}]}\n\n'
    whole = b'{"choices":[{"text":"Hello","finish_reason":"stop"}]}'
    for body in (event, whole):
        assert reply_to(head("text/plain"), body, provider="completions") == ("Hello", STOP)
    token = b'data:{"token":{"text":"Hello"},"generated_text":"Hello","details":null}\n\n'
    for body in (token, b'{"generated_text":"Hello"}', b'[[{"generated_text":"Hello"}]]'):
        assert reply_to(head("text/plain"), body, provider="huggingface") == ("Hello", STOP)


# The end


@pytest.mark.case("C02")
def test_finish_reason_ends_a_reply_without_end_marker() -> None:
    assert reply_to(H + D + E) == ("Hello", STOP)
    assert reply_to(STREAM, chunk(D), chunk(E), END) == ("Hello", STOP)


@pytest.mark.case("C02")
@pytest.mark.parametrize(
    "rest",
    [
        b"data: {",
        b"data: x\n\n",
        b'data: {"error":{"message":"late"}}\n\n',
        b"event: error\ndata: late\n\n",
        b"<html>",
        b"\xff\xfe\x00",
        b": bye\n\n" * 100,
        b"data: null\n\n",
    ],
)
def test_finish_reason_ends_a_reply_whatever_follows(rest: bytes) -> None:
    assert reply_to(H + D + E + rest) == ("Hello", STOP)


@pytest.mark.case("C02")
@pytest.mark.parametrize("rest", [(), (b"5\r\nda",), (b"zz\r\n",), (b"-5\r\n",)])
def test_finish_reason_ends_a_truncated_body(rest: tuple[bytes, ...]) -> None:
    assert reply_to(STREAM, chunk(D), chunk(E), *rest) == ("Hello", STOP)
    with pytest.raises(ProviderError):
        reply_to(STREAM, chunk(D), *rest)


@pytest.mark.case("C02")
@pytest.mark.parametrize("rest", [b"", b": ping\n\n"])
def test_silence_after_the_finish_reason_ends_the_reply(rest: bytes) -> None:
    def hold(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(H + D + E)
        while rest:
            connection.sendall(rest)
            time.sleep(0.05)

    with RawServer(hold) as server:
        began = time.monotonic()
        assert complete(create_provider(server, timeouts=SHORT_TAIL)) == ("Hello", STOP)
        assert time.monotonic() - began < 10


@pytest.mark.case("C02")
@pytest.mark.parametrize("text", [b"data: {", D, D + b"data: {}\n\n"])
def test_stream_that_ends_without_finish_reason_is_broken(text: bytes) -> None:
    with pytest.raises(ModelInvalidResponse, match="ended unexpectedly"):
        reply_to(H + text)


@pytest.mark.case("C02")
def test_text_after_a_finish_reason_is_read() -> None:
    early = events(text_chunk("Hel", "STOP"), text_chunk("l", "STOP"))
    slow = events(text_chunk("o", "stop"))

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(H + early)
        time.sleep(1.5 * TAIL_TIMEOUT)
        connection.sendall(slow + X)

    with RawServer(talk) as server:
        assert complete(create_provider(server, timeouts=SHORT_TAIL)) == ("Hello", STOP)


@pytest.mark.case("C03")
@pytest.mark.parametrize(
    "marker",
    [
        *(b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE] \n\n", b"data: [DONE]\t\n\n"),
        *(
            b"data:[DONE]\n\n",
            b"[DONE]\n",
            b"data: [DONE]\r\n\r\n",
            b"event: done\ndata: [DONE]\n\n",
        ),
    ],
)
def test_end_marker_in_any_form_ends_a_reply(marker: bytes) -> None:
    assert reply_to(H + D + E + marker) == ("Hello", STOP)
    # The end marker also ends a reply without a finish reason.
    assert reply_to(H + D + marker) == ("Hello", STOP)


REASONS: dict[FinishReason, list[object]] = {
    FinishReason.STOP: [
        *("stop", "STOP", "end_turn", "END_TURN", "eos", "eos_token", "stop_sequence", "COMPLETE"),
        *("tool_calls", "function_call", "tool_use", "FINISHED", "a_new_one", {"type": "stop"}),
        *("FinishReason.STOP", "FINISH_REASON_STOP", "tool-calls"),
    ],
    FinishReason.LENGTH: [
        *("length", "LENGTH", "max_tokens", "MAX_TOKENS", "model_length", {"type": "length"}),
        *("FinishReason.MAX_TOKENS", "TIMEOUT", "max tokens"),
    ],
    FinishReason.CONTENT_FILTER: [
        *(
            "content_filter",
            "SAFETY",
            "RECITATION",
            "refusal",
            "content_filter: PROHIBITED_CONTENT",
            "content-filter",
            "FINISH_REASON_SAFETY",
        ),
    ],
}


@pytest.mark.case("C04")
@pytest.mark.parametrize(
    ("reason", "expected"), [(each, reason) for reason, all_ in REASONS.items() for each in all_]
)
def test_finish_reasons_of_all_vendors_are_known(reason: object, expected: FinishReason) -> None:
    stream = H + events(text_chunk("Hello"), text_chunk(None, reason))
    assert reply_to(stream + X) == ("Hello", Completion(finish_reason=expected))
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": reason}]}
    reply = reply_to(json_response(json.dumps(whole).encode()))
    assert reply == ("Hello", Completion(finish_reason=expected))


@pytest.mark.case("C04")
@pytest.mark.parametrize("reason", [None, "", "null", "None", "FINISH_REASON_UNSPECIFIED"])
def test_missing_finish_reason_completes_a_marked_end(reason: object) -> None:
    stream = H + events(text_chunk("Hello", reason), text_chunk(None, reason))
    assert reply_to(stream + X) == ("Hello", STOP)
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": reason}]}
    assert reply_to(json_response(json.dumps(whole).encode())) == ("Hello", STOP)
    with pytest.raises(ModelInvalidResponse):
        reply_to(stream)


@pytest.mark.case("C04")
@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", "ERROR"])
def test_finish_reason_of_a_failure_is_an_error(reason: str) -> None:
    with pytest.raises(ModelUnavailable):
        reply_to(H + events(text_chunk("Hello"), text_chunk(None, reason)) + X)


# The content


@pytest.mark.case("C05")
@pytest.mark.parametrize("content", ["", None, " ", "\n", [{"type": "text", "text": " "}]])
def test_refusal_is_the_reply(content: Any) -> None:
    deltas = [
        {"choices": [{"delta": {"content": content, "refusal": "I "}}]},
        {"choices": [{"delta": {"content": content, "refusal": "cannot."}}]},
        text_chunk("", "stop"),
    ]
    assert reply_to(H + events(*deltas) + X) == ("I cannot.", STOP)
    message = {"content": content, "refusal": "I cannot."}
    whole = {"choices": [{"message": message, "finish_reason": "content_filter"}]}
    text, completion = reply_to(json_response(json.dumps(whole).encode()))
    assert text == "I cannot."
    assert completion.finish_reason is FinishReason.CONTENT_FILTER


@pytest.mark.case("C05")
@pytest.mark.parametrize("refusal", [None, "", "Not read."])
def test_content_is_the_reply_despite_a_refusal(refusal: str | None) -> None:
    message = {"content": "Hello", "refusal": refusal}
    stream = events({"choices": [{"delta": message}]}, text_chunk(None, "stop"))
    assert reply_to(H + stream + X) == ("Hello", STOP)


PARTS: list[object] = [
    [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}],
    [{"type": "output_text", "text": "Hello"}],
    ["Hel", "lo"],
    {"type": "text", "text": "Hello"},
    [{"type": "text", "text": {"value": "Hello", "annotations": []}}],
    [{"type": "refusal", "refusal": "Hello"}],
    [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "Hello"}],
    [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hello"},
    ],
    [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}],
    [{"type": "reasoning_text", "text": "hm"}, {"type": "output_text", "text": "Hello"}],
    [{"text": "hm", "thought": True}, {"text": "Hello"}],
    [{"type": [], "text": "Hello"}],
]


@pytest.mark.parametrize("content", PARTS)
def test_content_in_parts_is_read(content: object) -> None:
    stream = events({"choices": [{"delta": {"content": content}}]}, text_chunk(None, "stop"))
    assert reply_to(H + stream + X) == ("Hello", STOP)
    whole = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert reply_to(json_response(json.dumps(whole).encode())) == ("Hello", STOP)


@pytest.mark.case("C10")
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_no_text(name: str) -> None:
    deltas = [
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": None, name: "Hm, "}}]},
        {"choices": [{"delta": {name: "yes."}}]},
    ]
    stream = H + events(*deltas) + b": ping\n\n" + D + E + X
    with RawServer(respond(stream, closes=True)) as server:
        items = items_of(create_provider(server))
    assert [each for each in items if each != Reasoning()] == [
        *(Reasoning("Hm, "), Reasoning("yes."), "Hello", STOP)
    ]
    # The role, the comment and its blank line, and the finish reason are activity too.
    assert items.count(Reasoning()) >= 3
    message = {"content": "Hello", name: "Hm."}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert reply_to(json_response(json.dumps(whole).encode())) == ("Hello", STOP)


@pytest.mark.case("C10")
def test_white_space_before_a_document_is_activity() -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        for part in (head("application/json"), b"\n", b"\n", HELLO_DOCUMENT):
            connection.sendall(part)
            time.sleep(0.1)
        connection.shutdown(socket.SHUT_WR)

    with RawServer(talk) as server:
        *alive, text, completion = items_of(create_provider(server, stream=False))
    assert alive.count(Reasoning()) >= 2
    assert (text, completion) == ("Hello", STOP)


def test_message_after_deltas_does_not_repeat_them() -> None:
    last = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    assert reply_to(H + D + events(last) + X) == ("Hello", STOP)
    assert reply_to(H + events(last) + X) == ("Hello", STOP)


@pytest.mark.case("C11")
@pytest.mark.parametrize("stream", [True, False])
def test_think_tags_are_removed(*, stream: bool) -> None:
    text = "<think>\nHm </think\n</think>\n\nHello <think>"
    pieces = re.findall(r".{1,3}", text, re.DOTALL) if stream else [text]
    chunks = [text_chunk(piece) for piece in pieces]
    body = H + events(*chunks, text_chunk(None, "stop")) + X
    if not stream:
        whole = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
        body = json_response(json.dumps(whole).encode())
    assert reply_to(body, think_tags=True) == ("Hello <think>", STOP)
    assert reply_to(body) == (text, STOP)


# Usage

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    "chunks",
    [
        [text_chunk("Hello"), text_chunk(None, "stop"), {"choices": [], "usage": USAGE}],
        [text_chunk("Hello"), text_chunk(None, "stop"), {"choices": None, "usage": USAGE}],
        [text_chunk("Hello"), text_chunk(None, "stop"), {"usage": USAGE}],
        [text_chunk("Hello"), text_chunk(None, "stop", usage=USAGE)],
        [text_chunk("Hello", usage=None), text_chunk("", "stop", x_groq={"usage": USAGE})],
        [
            text_chunk("Hello", usage={"prompt_tokens": 3, "completion_tokens": 1}),
            text_chunk(None, "stop", usage=USAGE),
        ],
        [
            text_chunk("Hello"),
            {"choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]},
        ],
        [
            text_chunk("Hello"),
            text_chunk(None, "stop"),
            text_chunk(None, None, usage={"input_tokens": 3, "output_tokens": 4}),
        ],
        [text_chunk("Hello"), text_chunk("", "stop", timings={"prompt_n": 3, "predicted_n": 4})],
        [text_chunk("Hello", usage=USAGE), text_chunk(None, "stop")],
        [text_chunk("Hello", usage=USAGE), text_chunk(None, "stop", usage=None)],
        [text_chunk("Hello", x_groq={"usage": USAGE}), text_chunk(None, "stop", usage={})],
        [
            text_chunk("Hel", timings={"prompt_n": 3, "predicted_n": 1}),
            text_chunk("lo", timings={"prompt_n": 3, "predicted_n": 4}),
            text_chunk(None, "stop"),
        ],
        [
            {"choices": [{"delta": {"content": "Hello"}, "usage": USAGE}]},
            text_chunk(None, "stop", usage=NO_USAGE),
        ],
        *(
            [text_chunk("Hello"), text_chunk(None, "stop", usage=USAGE), last]
            for last in ({"choices": [], "usage": NO_USAGE}, text_chunk("", usage=NO_USAGE))
        ),
        [
            text_chunk("Hello", usage=NO_USAGE),
            text_chunk(None, "stop", usage=NO_USAGE, x_groq={"usage": USAGE}),
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}},
        ],
        [
            text_chunk("Hello"),
            text_chunk(
                None,
                "stop",
                usage={
                    **USAGE,
                    "prompt_tokens_details": {"cached_tokens": 1},
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            ),
        ],
    ],
)
def test_usage_is_read_wherever_vendors_put_it(chunks: list[Any]) -> None:
    _, completion = reply_to(H + events(*chunks) + X)
    assert completion.usage is not None
    assert completion.usage.source is UsageSource.PROVIDER
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (3, 4)


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    ("more", "cached"),
    [
        ({}, 0),
        ({"prompt_tokens_details": {"cached_tokens": 2}}, 2),
        ({"prompt_tokens_details": None}, 0),
        ({"prompt_tokens_details": {"cached_tokens": "2"}}, 0),
        ({"input_tokens_details": {"cached_tokens": 2}}, 2),
        ({"prompt_cache_hit_tokens": 1, "prompt_cache_miss_tokens": 2}, 1),
        ({"prompt_tokens_details": {"cached_tokens": 99}}, 3),
    ],
)
def test_cached_tokens_are_part_of_the_prompt(more: dict[str, Any], cached: int) -> None:
    stream = events(text_chunk("Hello"), text_chunk(None, "stop", usage={**USAGE, **more}))
    _, completion = reply_to(H + stream + X)
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.cached_tokens) == (3, cached)


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 3, "completion_tokens": 0},
        {"prompt_tokens": 0, "completion_tokens": 4},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": -1, "completion_tokens": 4},
        {"prompt_tokens": "3", "completion_tokens": "4"},
        {},
        None,
        [],
    ],
)
def test_implausible_usage_is_ignored(usage: object) -> None:
    stream = events(text_chunk("Hello"), text_chunk(None, "stop"), {"choices": [], "usage": usage})
    assert reply_to(H + stream + X) == ("Hello", STOP)
    whole = json.loads(HELLO_DOCUMENT) | {"usage": usage}
    assert reply_to(json_response(json.dumps(whole).encode())) == ("Hello", STOP)


@pytest.mark.case("C16")
def test_details_of_text_generation_may_be_null() -> None:
    tokens: list[dict[str, Any]] = [
        {"token": {"text": "Hel"}, "generated_text": None, "details": None},
        {"token": {"text": "lo"}, "generated_text": "Hello", "details": None},
    ]
    assert reply_to(H + events(*tokens), provider="huggingface") == ("Hello", STOP)
    tokens[-1]["details"] = {"finish_reason": "LENGTH", "generated_tokens": 2, "input_length": 0}
    assert reply_to(H + events(*tokens), provider="huggingface") == (
        *("Hello", Completion(finish_reason=FinishReason.LENGTH)),
    )


# Encodings


@pytest.mark.case("C16")
@pytest.mark.parametrize("encoding", ["none", "utf-8", "", "identity", "UTF-8", "gzip", "br", "x"])
@pytest.mark.parametrize("body", [D + E + X, HELLO_DOCUMENT], ids=["stream", "document"])
def test_plain_data_with_any_content_encoding_is_read(encoding: str, body: bytes) -> None:
    start = head("text/event-stream", f"Content-Encoding: {encoding}")
    assert reply_to(start, body) == ("Hello", STOP)


@pytest.mark.case("C16")
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "none", ""])
@pytest.mark.parametrize("body", [D + E + X, HELLO_DOCUMENT], ids=["stream", "document"])
def test_compressed_data_is_read(encoding: str, body: bytes) -> None:
    packed = [gzip.compress(body)]
    if encoding == "deflate":
        raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = [zlib.compress(body), raw.compress(body) + raw.flush()]
    for data in packed:
        start = head("text/event-stream", f"Content-Encoding: {encoding}")
        assert reply_to(start, data[:1], data[1:20], data[20:]) == ("Hello", STOP)


@pytest.mark.case("C16")
def test_compressed_stream_is_yielded_as_it_arrives() -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    first = packer.compress(D) + packer.flush(zlib.Z_SYNC_FLUSH)
    with RawServer(respond(head("text/event-stream", "Content-Encoding: gzip"), first)) as server:
        assert next(Stream(create_provider(server, timeouts=long_timeouts()))) == "Hello"


@pytest.mark.case("C16")
def test_cut_or_invalid_compression_is_an_error() -> None:
    packed = gzip.compress(D * 1000)
    for data in (packed[:-20], packed[:12] + b"\xff" * 50):
        with pytest.raises(ProviderError):
            reply_to(head("text/event-stream", "Content-Encoding: gzip"), data)


@pytest.mark.case("C16")
@pytest.mark.parametrize("provider", ["openai", "completions", "huggingface"])
def test_character_in_two_deltas_is_joined(provider: str) -> None:
    halves = [rb"a\ud83d", rb"\ude00b"]
    forms = {
        "openai": rb'data: {"choices":[{"delta":{"content":"%b"}}]}',
        "completions": rb'data: {"choices":[{"text":"%b"}]}',
        "huggingface": rb'data: {"token":{"text":"%b"}}',
    }
    ends = {
        "openai": E + X,
        "completions": E.replace(b'"delta":{}', b'"text":""') + X,
        "huggingface": b'data: {"token":{"text":""},"generated_text":"","details":null}\n\n',
    }
    stream = b"".join(forms[provider] % half + b"\n\n" for half in halves) + ends[provider]
    assert reply_to(H + stream, provider=provider) == ("a\U0001f600b", STOP)


@pytest.mark.case("C16")
def test_nan_is_read() -> None:
    odd = b'{"choices":[{"delta":{"content":"Hello"},"logprobs":{"x":NaN,"y":-Infinity}}]}'
    assert reply_to(H + b"data: " + odd + b"\n\n" + E + X) == ("Hello", STOP)


@pytest.mark.case("C06")
@pytest.mark.parametrize(
    ("more", "reasoning"),
    [
        ({}, 0),
        ({"completion_tokens_details": {"reasoning_tokens": 2}}, 2),
        ({"completion_tokens_details": None}, 0),
        ({"output_tokens_details": {"reasoning_tokens": 2}}, 2),
        ({"reasoning_tokens": 99}, 4),
    ],
)
def test_reasoning_tokens_are_part_of_the_reply(more: dict[str, Any], reasoning: int) -> None:
    stream = events(text_chunk("Hello"), text_chunk(None, "stop", usage={**USAGE, **more}))
    _, completion = reply_to(H + stream + X)
    assert completion.usage is not None
    assert (completion.usage.completion_tokens, completion.usage.reasoning_tokens) == (4, reasoning)


def test_reasoning_of_a_delta_precedes_its_text() -> None:
    both = {"choices": [{"delta": {"content": "Hello", "reasoning_content": "hm"}}]}
    with RawServer(respond(H + events(both) + E + X, closes=True)) as server:
        items = items_of(create_provider(server))
    assert [each for each in items if each != Reasoning()] == [Reasoning("hm"), "Hello", STOP]
