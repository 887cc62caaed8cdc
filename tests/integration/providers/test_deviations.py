"""What the log says about responses that deviate from their format."""

import gzip
import logging
from typing import Any

import pytest

from chat.domain.errors import ProviderError
from chat.providers import deviations
from chat.providers.deviations import DeviationLog
from tests.integration.providers.calls import reply_to
from tests.integration.providers.raw_server import D, E, H, X, json_response

pytestmark = pytest.mark.case("C27")

WHOLE = b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}'
PLAIN = H.replace(b"text/event-stream", b"text/plain")
PACKED = H.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}\n\n'


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Start with an empty log."""
    monkeypatch.setattr(deviations, "_log", DeviationLog())
    caplog.set_level(logging.WARNING)


DEVIATIONS: list[tuple[tuple[bytes, ...], str]] = [
    ((PLAIN + D + E + X,), "content-type: expected text/event-stream, got 'text/plain'"),
    ((json_response(WHOLE, "x"),), "content-type: expected application/json, got 'x'"),
    ((H.replace(b"Content-Type", b"X") + D + E + X,), "content-type: expected text/event-stream,"),
    ((PACKED + gzip.compress(D + E + X),), "content-encoding: expected identity, got 'gzip'"),
    ((H.replace(b"200 OK", b"201 OK") + D + E + X,), "status: expected 200, got 201"),
    ((H + D + E,), "end of the stream: expected [DONE], got the end of the body"),
    ((H + D + E + b"data: {",), "end of the stream: expected [DONE], got ModelInvalidResponse"),
    ((H + D + E + D + E + X,), "end of the stream: expected [DONE], got text after a finish"),
    ((H + D + E.replace(b'"stop"', b'"odd"') + X,), "finish_reason: expected one of the"),
    ((H + D + X,), "finish_reason: expected one of the documented values, got null"),
    ((H + D + E + USAGE + X,), "usage: expected token counts, got 0 and 0; estimated it"),
    ((H + D.replace(b"lo", rb"\ud83d") + E + X,), "JSON: expected valid JSON, got NaN or half"),
    ((H + D + D[6:] + E + X,), "event: expected data: before JSON, got none; read it"),
]


@pytest.mark.parametrize(("parts", "line"), DEVIATIONS)
def test_deviation_is_logged_once(
    parts: tuple[bytes, ...], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        reply_to(*parts)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"model m: {line}")


REJECTED: list[tuple[tuple[bytes, ...], str]] = [
    ((H + D,), "the end of the stream before a finish reason"),
    ((H + b"<html>" + E + X,), "a body that starts with '<'"),
    ((H + D + b"data: boom\n\n",), "Expecting value at 0"),
    ((H + D + b"data: 5\n\n",), "a number instead of a JSON object"),
    ((H + b'data: {"choices":[{"delta":{"content":5}}]}\n\n',), "a number as the content"),
    (
        (H + b'data: {"choices":[{"delta":"Hello"}]}\n\n',),
        "a string of 5 characters as the message",
    ),
    ((H + b"data: \xff\n\n",), "invalid UTF-8 at 0"),
    ((b"SSH-2.0\r\n",), "an invalid status line"),
    ((PACKED + b"\x1f\x8b" + b"\xff" * 50,), "invalid compressed data:"),
]


@pytest.mark.parametrize(("parts", "got"), REJECTED)
def test_reason_of_a_rejected_response_is_logged(
    parts: tuple[bytes, ...], got: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ProviderError):
        reply_to(*parts)
    start = f"model m: response: expected a reply, got {got}"
    assert any(record.getMessage().startswith(start) for record in caplog.records)


@pytest.mark.security("S33")
@pytest.mark.parametrize("canary", [b"nightingale sings", b"nightingale", b"nightin-gale7"])
@pytest.mark.parametrize("provider", ["openai", "completions", "huggingface"])
def test_no_text_of_a_reply_is_logged(
    canary: bytes, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [
        D.replace(b"Hello", canary) + E.replace(b"stop", b"odd"),
        b"data: " + canary + b"\n\n",
        canary,
        b'data: "%b"\n\n' % canary,
        b'data: {"choices":[{"delta":{"content":{"%b":1}}}]}\n\n' % canary,
        b'data: {"choices":[{"finish_reason":["%b"]}]}\n\n' % canary,
        b'data: {"choices":[{"delta":{"content":"%b' % canary,
        b"event: %b\ndata: %b\n\n" % (canary, canary),
        b'data: ["%b"]\n\n' % canary,
        b'["%b"]' % canary,
        b'data: {"choices":[{"delta":"%b"}]}\n\n' % canary,
        b'data: {"choices":[{"delta":["%b"]}]}\n\n' % canary,
        b'data: {"choices":[{"text":["%b"]}]}\n\n' % canary,
        b'{"choices":[{"message":"%b","finish_reason":"stop"}]}' % canary,
        b'{"generated_text":["%b"]}' % canary,
        b'data: {"token":{"text":{"%b":1}}}\n\n' % canary,
    ]
    for body in bodies:
        try_to_read(PLAIN, body + X, provider=provider)
    assert caplog.records
    assert "nightin" not in caplog.text


def try_to_read(*parts: bytes, **fields: Any) -> None:
    try:
        reply_to(*parts, **fields)
    except ProviderError as error:
        logging.getLogger("test").error("failed", exc_info=error)


def test_values_are_shortened(caplog: pytest.LogCaptureFixture) -> None:
    reply_to(H.replace(b"text/event-stream", b"x" * 5000) + D + E + X)
    (record,) = caplog.records
    assert len(record.getMessage()) < 350
