"""Errors of model servers and gateways, in every shape and place."""

import gzip
import json
from typing import Any

import pytest

from chat.domain.errors import (
    ContextTooLong,
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelUnavailable,
    ProviderError,
)
from chat.providers.errors import LOADING_RETRY_AFTER
from tests.integration.providers.calls import reply_to
from tests.integration.providers.raw_server import D, E, H, X

BEDROCK = "Input is too long for requested model."
GEMINI = "The input token count (1196265) exceeds the maximum number of tokens allowed (1048576)."
GEMINI_ERROR = {"error": {"code": 400, "message": GEMINI, "status": "INVALID_ARGUMENT"}}
SGLANG = (
    "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens)."
    " Use a shorter input or enable --allow-auto-truncate."
)
TOO_LONG = [
    *("The decoder prompt (length 5000) is longer than the maximum model length of 4096",),
    *("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",),
    *("prompt is too long: 213462 tokens > 200000 maximum", BEDROCK, GEMINI),
]
LARGE = (
    "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000,"
    " Requested 61337. The input or output tokens must be reduced in order to run successfully."
)
BUSY = (
    "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000,"
    " Used 29000, Requested 2000. Please try again in 2s."
)


def response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def error_of(*parts: bytes, **fields: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        reply_to(*parts, **fields)
    return caught.value


def shapes(message: str) -> list[bytes]:
    """Return the error bodies in which vendors, servers and gateways put a message."""
    error = {"message": message, "type": "x", "param": None, "code": None}
    raw = {"message": "Provider returned error", "code": 400, "metadata": {"raw": message}}
    documents: list[object] = [
        *({"error": error}, [{"error": error}], {"error": message}, {"message": message}),
        *({"detail": message}, {"detail": [{"loc": ["body"], "msg": message}]}),
        *({"object": "error", "message": message}, {"type": "error", "error": error}),
        *({"errors": [error]}, {"error": {"error": error}}, {"Message": message}, {"error": raw}),
    ]
    return [*(json.dumps(each).encode() for each in documents), message.encode()]


@pytest.mark.case("C08")
@pytest.mark.parametrize("message", TOO_LONG)
@pytest.mark.parametrize("shape", range(len(shapes(""))))
@pytest.mark.parametrize("packing", ["none", "gzip", "event"])
def test_too_long_prompt_is_recognised(message: str, shape: int, packing: str) -> None:
    body = shapes(message)[shape]
    if packing == "gzip":
        parts = response("400 Bad Request", gzip.compress(body), "Content-Encoding: gzip")
    elif packing == "event":
        parts = response("400 Bad Request", b"event: error\ndata: " + body + b"\n\n")
    else:
        parts = response("400 Bad Request", body)
    assert type(error_of(parts)) is ContextTooLong


@pytest.mark.case("C08")
@pytest.mark.parametrize(
    "message",
    [
        SGLANG,
        "Prompt length (8000) exceeds maximum input length (4096).",
        "expected maxLength: 42000, actual: 50000, please reformat your input and try again.",
        "Request prompt has 5000 tokens in total, larger than the model input length limit 4096.",
        "inputs tokens + max_new_tokens must be <= 4096. Given: 5000",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
        "prompt token count of 70000 exceeds the limit of 64000",
        "the number of input tokens 5000 cannot exceed the total tokens limit 4096",
        "The prompt is longer than the model's context_length 4096",
        "the request exceeds the available context size, try increasing it",
        "Invalid parameter: context_length_exceeded",
        "invalid params, context window exceeds limit (2013)",
        "the input token count is 1100000 but model only supports up to 1048576",
        "a sequence length of 8194, but the maximum supported sequence length is just 8192!",
        "The sum of prompt length (5000.0), query length (0) should not exceed max_num_tokens (96)",
        "Input prompt (5000 tokens) is too long and exceeds limit of 4096",
        "Input length is too long",
        "Prompt 超长",
        "Total tokens of image and text exceed max message tokens",
        "Please reduce the number of tokens in your prompt",
    ],
)
def test_too_long_prompt_is_recognised_in_other_words(message: str) -> None:
    error = json.dumps({"error": {"message": message, "code": 400}}).encode()
    plain = json.dumps({"error": {"message": message}}).encode()
    assert type(error_of(response("400 Bad Request", error))) is ContextTooLong
    assert type(error_of(H, b"data: " + error + b"\n\n")) is ContextTooLong
    assert type(error_of(H, b"data: " + plain + b"\n\n")) is ContextTooLong


@pytest.mark.case("C08")
def test_list_wrapped_error_of_gemini_is_recognised() -> None:
    body = json.dumps([GEMINI_ERROR], indent=2).encode()
    assert type(error_of(response("400 Bad Request", body))) is ContextTooLong
    assert type(error_of(H, body)) is ContextTooLong


@pytest.mark.case("C08")
def test_other_bad_requests_are_not_too_long() -> None:
    for message in (
        "max_tokens is too large: 50000. This model supports at most 16384 completion tokens",
        "Unrecognized request argument supplied: seed",
        "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens",
        "number of tokens per request limit: invalid max_tokens",
        "Unknown field context_length",
        "Unknown field: 'max_context_length'.",
        "Unrecognized request argument supplied: context_length",
        "Unsupported parameter: `max_model_len`",
        "context_length: Extra inputs are not permitted",
        "context_size must be an integer",
        "max_tokens (8192) exceeds the maximum output tokens allowed (4096)",
    ):
        for body in shapes(message):
            assert type(error_of(response("400 Bad Request", body))) is ModelBadRequest


@pytest.mark.case("C08")
def test_truncated_error_still_has_its_status() -> None:
    head = b"HTTP/1.1 400 No\r\nContent-Length: 900\r\n\r\n"
    assert type(error_of(head, b"prompt is too long")) is ContextTooLong
    assert type(error_of(head, b"{")) is ModelBadRequest


@pytest.mark.case("C08")
@pytest.mark.security("S27")
def test_compressed_error_is_bounded() -> None:
    bomb = gzip.compress(b"prompt is too long" + b" " * 20_000_000)
    error = error_of(response("400 Bad Request", bomb, "Content-Encoding: gzip"))
    assert type(error) is ContextTooLong


@pytest.mark.case("C13")
def test_request_that_exceeds_the_rate_limit_fails_at_once() -> None:
    for body in shapes(LARGE):
        error = error_of(response("429 Too Many Requests", body, "Retry-After: 2"))
        assert type(error) is ContextTooLong
        assert not error.retryable
        assert error.retry_after is None
    for body in shapes(BUSY):
        error = error_of(response("429 Too Many Requests", body, "Retry-After: 2"))
        assert type(error) is ModelRateLimited
        assert error.retry_after == 2


STREAM_ERRORS: list[tuple[bytes, type[ProviderError]]] = [
    (b'data: {"error":{"message":"boom"}}\n\n', ModelUnavailable),
    (b'data: {"error":{"message":"x","code":400}}\n\n', ModelBadRequest),
    (b'data: {"error":{"message":"x","type":"invalid_request_error"}}\n\n', ModelBadRequest),
    (b'data: {"error":{"message":"prompt is too long"}}\n\n', ContextTooLong),
    (b'data: [{"error":{"message":"prompt is too long"}}]\n\n', ContextTooLong),
    (b'data: {"error":"maximum context length"}\n\n', ContextTooLong),
    (b'data: {"object":"error","message":"maximum context length"}\n\n', ContextTooLong),
    (b'data: {"detail":"prompt is too long"}\n\n', ContextTooLong),
    (b'data: {"message":"prompt is too long"}\n\n', ContextTooLong),
    (b'data: {"choices":[],"error":{"message":"x","code":429}}\n\n', ModelRateLimited),
    (b'data: {"error":{"message":"Rate limit exceeded"}}\n\n', ModelRateLimited),
    (b'data: {"error":{"type":"rate_limit_error","message":"x"}}\n\n', ModelRateLimited),
    (b'data: {"error":{"message":"Model x is currently loading"}}\n\n', ModelLoading),
    (b'error: {"code":400,"message":"context size exceeded"}\n\n', ContextTooLong),
    (b'error: {"code":500,"message":"x"}\n\n', ModelUnavailable),
    (b"error: prompt is too long\n\n", ContextTooLong),
    (b'event: error\ndata: {"error":{"message":"prompt is too long"}}\n\n', ContextTooLong),
    (b'event: error\ndata: {"message":"prompt is too long","type":"x"}\n\n', ContextTooLong),
    (b"event: error\ndata: prompt is too long\n\n", ContextTooLong),
    (b"event: error\ndata: boom\n\n", ModelUnavailable),
    (b"event: ERROR\ndata: prompt is too long\n\n", ContextTooLong),
    (b'event: throttlingException\ndata: {"message":"Too many requests"}\n\n', ModelRateLimited),
    (b'event: status\ndata: {"message":"prompt is too long"}\n\n', ContextTooLong),
    (b'data: {"error":{"message":"x","http_status_code":422}}\n\n', ModelUnavailable),
    (b'data: {"error":{"message":"x","statusCode":401}}\n\n', ModelBadRequest),
    (b'data: {"error_code":336103,"error_msg":"Prompt tokens too long"}\n\n', ContextTooLong),
    (
        b'{"choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}}',
        ModelRateLimited,
    ),
    (b'{"error":{"message":"prompt is too long"}}\n', ContextTooLong),
    (b'{"error":{"message":"prompt is too long"}}', ContextTooLong),
    (b'{\n  "error": {\n    "message": "prompt is too long"\n  }\n}\n', ContextTooLong),
    (b'{"detail":"prompt is too long"}', ContextTooLong),
    (b"prompt is too long", ContextTooLong),
    (b"Too Many Requests\n", ModelRateLimited),
    (b"upstream connect error or disconnect/reset before headers", ModelInvalidResponse),
    (b"data: Error: prompt is too long\n\n", ContextTooLong),
    (b"data: boom\n\n", ModelInvalidResponse),
]


@pytest.mark.case("C15")
@pytest.mark.parametrize(("data", "kind"), STREAM_ERRORS)
@pytest.mark.parametrize("start", [b"", D], ids=["first", "after text"])
def test_error_in_a_stream_has_its_meaning(
    data: bytes, kind: type[ProviderError], start: bytes
) -> None:
    assert type(error_of(H, start + data)) is kind


@pytest.mark.case("C15")
@pytest.mark.parametrize("provider", ["completions", "huggingface"])
def test_error_in_a_stream_of_another_format_has_its_meaning(provider: str) -> None:
    for data, kind in STREAM_ERRORS:
        assert type(error_of(H, data, provider=provider)) is kind, data


CHOICE_ERRORS: list[tuple[object, type[ProviderError]]] = [
    ({"code": 401, "message": "No auth credentials found"}, ModelBadRequest),
    ({"code": 400, "message": "the maximum context length is 4096 tokens"}, ContextTooLong),
    ({"code": 429, "message": "slow down"}, ModelRateLimited),
    ({"code": 502, "message": "bad"}, ModelUnavailable),
    ("prompt is too long", ContextTooLong),
]


@pytest.mark.case("C15")
@pytest.mark.parametrize(("error", "kind"), CHOICE_ERRORS)
@pytest.mark.parametrize("reason", ["error", None, "stop"])
@pytest.mark.parametrize("provider", ["openai", "completions"])
def test_error_in_a_choice_has_its_meaning(
    error: object, kind: type[ProviderError], reason: str | None, provider: str
) -> None:
    fields: dict[str, object] = {"index": 0, "finish_reason": reason, "error": error}
    part = fields | {"delta": {"content": ""}, "text": ""}
    event = b"data: " + json.dumps({"choices": [part]}).encode() + b"\n\n"
    document = {"choices": [fields | {"message": {"content": ""}, "text": ""}]}
    assert type(error_of(H, event + X, provider=provider)) is kind
    assert type(error_of(response("200 OK", json.dumps(document).encode()))) is kind


@pytest.mark.case("C15")
@pytest.mark.parametrize(("error", "kind"), CHOICE_ERRORS)
def test_error_after_the_finish_reason_error_decides(
    error: object, kind: type[ProviderError]
) -> None:
    failed = E.replace(b'"stop"', b'"error"')
    event = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    assert type(error_of(H, D + failed + event)) is kind
    assert type(error_of(H, D + failed + event + X)) is kind
    assert type(error_of(H, D + failed + b"data: {")) is ModelUnavailable
    assert reply_to(H, D + E + event)[0] == "Hello"


@pytest.mark.case("C15")
def test_error_in_a_finish_reason_has_its_meaning() -> None:
    reason = b'{"type":"abort","message":"prompt is too long","status_code":400}'
    assert type(error_of(H, D + E.replace(b'"stop"', reason) + X)) is ContextTooLong
    reason = b'{"type":"abort","message":"x","status_code":400}'
    assert type(error_of(H, D + E.replace(b'"stop"', reason) + X)) is ModelBadRequest


@pytest.mark.case("C15")
def test_loading_model_in_a_stream_says_when() -> None:
    error = error_of(H, b'data: {"error":"Model x is loading","estimated_time":12.5}\n\n')
    assert error.retry_after == 12.5
    error = error_of(H, b'data: {"error":"Loading model"}\n\n')
    assert error.retry_after == LOADING_RETRY_AFTER


@pytest.mark.case("C15")
@pytest.mark.parametrize(
    "ping",
    [
        b"event: ping\ndata: pong\n\n",
        b'event: ping\ndata: {"type":"ping"}\n\n',
        b"event: ping\ndata: 2026-11-30 07:06:40+00:00\n\n",
        b"event: keepalive\ndata:\n\n",
        b"data:\n\n",
        b"event: ping\n\n",
        b"event: ping\ndata: 1796042205\n\n",
        b'event: ping\ndata: "2026-11-30"\n\n',
        b"event: heartbeat\ndata: null\n\n",
        b"event: heartbeat\ndata: [1, true]\n\n",
        b'event: ping\ndata: {"type":"ping","message":"alive"}\n\n',
        b'event: status\ndata: {"status":"queued","detail":"third in the queue"}\n\n',
        b": OPENROUTER PROCESSING\n\n",
        b"foo: bar\n\n",
        b"data: {}\n\n",
    ],
)
def test_pings_are_ignored(ping: bytes) -> None:
    text, _ = reply_to(H + ping + D + ping + E + ping + X)
    assert text == "Hello"


@pytest.mark.case("C15")
def test_message_of_success_in_a_chunk_is_no_error() -> None:
    usage = b'"usage":{"prompt_tokens":3,"completion_tokens":1}'
    chunk = b'data: {"code":0,"message":"Success",' + usage + b"}\n\n"
    text, completion = reply_to(H + D + E + chunk + X)
    assert text == "Hello"
    assert completion.usage is not None
    minimax = b'{"base_resp":{"status_code":0,"status_msg":"ok"},' + usage + b"}\n\n"
    assert reply_to(H + D + E + b"data: " + minimax + X) == (text, completion)


@pytest.mark.case("C15")
def test_words_of_errors_in_a_reply_are_text() -> None:
    reply = b'data: {"choices":[{"delta":{"content":"prompt is too long"}}]}\n\n'
    assert reply_to(H + reply + E + X)[0] == "prompt is too long"
    error = error_of(H, reply[:-10])
    assert type(error) is ModelInvalidResponse
