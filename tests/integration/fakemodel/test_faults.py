"""The faults, as a client receives them."""

import socket
import time
from email.utils import parsedate_to_datetime
from statistics import median

import pytest
import requests

from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import (
    CHAT,
    GENERATE,
    STREAMING_PATHS,
    FakeModel,
    reply_text,
)

MEGABYTE = 1024 * 1024

each_format = pytest.mark.parametrize("path", STREAMING_PATHS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True])


def assert_silent(connection: socket.socket, seconds: float = 0.3) -> None:
    connection.settimeout(seconds)
    with pytest.raises(TimeoutError):
        connection.recv(1)


@each_format
@streamed_or_not
def test_a_status_has_the_shape_of_its_format(model: FakeModel, path: str, stream: bool) -> None:
    for status in (400, 401, 404, 429, 500, 503):
        response = model.post(path, f"[[fault:{status}]]", stream=stream)

        error = response.json()["error"]
        assert response.status_code == status
        assert isinstance(error if path == GENERATE else error["message"], str)
        assert "retry-after" not in response.headers


def test_a_status_can_have_a_delay_or_a_code(model: FakeModel) -> None:
    text = "[[fault:loading estimated_time=0.3]]"
    seconds = model.post(CHAT, "[[fault:429 retry_after=2]]").headers["retry-after"]
    date = model.post(CHAT, "[[fault:503 retry_after_date=30]]").headers["retry-after"]
    error = model.post(CHAT, "[[fault:429 code=insufficient_quota]]").json()["error"]

    assert seconds == "2"
    assert 27 < parsedate_to_datetime(date).timestamp() - time.time() <= 31
    assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")
    loading = model.post(GENERATE, "[[fault:loading]]")
    assert loading.status_code == 503
    assert loading.json() == {"error": "Model m is currently loading", "estimated_time": 20.0}
    started = time.monotonic()
    waited = model.post(GENERATE, text, options={"wait_for_model": True})
    assert reply_text(GENERATE, waited.content, stream=False) == f"echo: {text}"
    assert time.monotonic() - started >= 0.3


@streamed_or_not
def test_hang_and_stall_stop_sending(model: FakeModel, stream: bool) -> None:
    with model.open_call(CHAT, "[[fault:hang]]", stream=stream) as connection:
        assert_silent(connection)
    with model.open_call(CHAT, "[[fault:stall after=0]]", stream=stream) as connection:
        head = connection.recv(65536)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert head.endswith(b"\r\n\r\n")
        assert_silent(connection)
    with model.open_call(CHAT, "alpha beta [[fault:stall after=2]]", stream=stream) as connection:
        received = b""
        while b" alpha" not in received:
            received += connection.recv(65536)
        assert_silent(connection)
    assert b"beta" not in received


@streamed_or_not
def test_drip_sends_single_bytes(model: FakeModel, stream: bool) -> None:
    with model.open_call(CHAT, "[[fault:drip]]", stream=stream) as connection:
        connection.recv(65536)  # the headers
        assert_silent(connection, 0.5)  # one byte per second by default
    with model.open_call(CHAT, "[[fault:drip byte_rate=20]]", stream=stream) as connection:
        connection.recv(65536)
        started, received = time.monotonic(), b""
        size = 6 if stream else 1  # a chunk of one byte is "1\r\nx\r\n"
        while len(received) < 10 * size:
            received += connection.recv(65536)  # several bytes, on a busy machine

    assert 0.3 < time.monotonic() - started < 8
    assert not stream or all(received[at : at + 3] == b"1\r\n" for at in range(0, 60, size))


@each_format
@streamed_or_not
@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_cut_and_reset_end_the_connection(
    model: FakeModel, path: str, stream: bool, fault: str
) -> None:
    text = f"alpha beta [[fault:{fault} after=2]]"

    raw, was_reset = model.read_raw(path, text, stream=stream)

    assert b"echo:" in raw
    assert b" alpha" in raw
    assert b"beta" not in raw
    assert not raw.endswith(b"0\r\n\r\n")
    assert was_reset is (fault == "reset")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        model.post(path, text, stream=stream)


@each_format
@streamed_or_not
def test_oversized_replies_have_their_size(model: FakeModel, path: str, stream: bool) -> None:
    for fault in ("huge", "long_line", "gzip_bomb"):
        content = model.post(path, f"[[fault:{fault} mb=3]]", stream=stream).content

        assert len(reply_text(path, content, stream=stream)) == 3 * MEGABYTE
        longest = max(map(len, content.split(b"\n")))
        assert (longest > 3 * MEGABYTE) is not (stream and fault == "huge")
    raw, _ = model.read_raw(path, "[[fault:gzip_bomb mb=3]]", stream=stream)
    assert b"content-encoding: gzip" in raw.partition(b"\r\n\r\n")[0]
    assert len(raw) < MEGABYTE // 10


@streamed_or_not
def test_endless_ends_when_the_client_disconnects(model: FakeModel, stream: bool) -> None:
    received = 0
    with model.open_call(CHAT, "[[fault:endless]]", stream=stream) as connection:
        while received < 20 * MEGABYTE:
            received += len(connection.recv(MEGABYTE))
        assert model.get("/live")["status"] == "ok"
    wait_until(lambda: model.calls()[0]["client_disconnected"])

    with model.open_call(CHAT, "[[fault:endless rate=50]]", stream=True) as connection:
        started, paced = time.monotonic(), b""
        while paced.count(b'"delta":{"content":') < 20:
            paced += connection.recv(65536)
    assert 0.3 < time.monotonic() - started < 8


@each_format
@streamed_or_not
def test_edge_cases_leave_the_reply_intact(model: FakeModel, path: str, stream: bool) -> None:
    def ask(fault: str) -> requests.Response:
        text = f"äöü \U0001f600 [[fault:{fault}]]"
        response = model.post(path, text, stream=stream)
        content = _plain_sse(response.content) if fault == "unusual_sse" else response.content
        if not (stream and fault == "unknown_fields"):  # these events have other fields
            assert reply_text(path, content, stream=stream) == f"echo: {text}"
        return response

    assert b"x_unknown" in ask("unknown_fields").content
    assert ask("unusual_sse").content.startswith(b"\xef\xbb\xbf: welcome" if stream else b"\n\t ")
    assert ask("wrong_content_type").headers["content-type"].startswith("text/plain")
    assert not {"content-length", "transfer-encoding"} & ask("close_delimited").headers.keys()
    ask("split")
    with model.open_call(path, "a b c d [[fault:split]]", stream=stream) as connection:
        connection.recv(65536)
        sizes = [len(connection.recv(65536)) for _ in range(5)]
    assert median(sizes) < 50  # a busy machine receives several parts at once


def _plain_sse(content: bytes) -> bytes:
    """Return a stream with one `data` line per event; JSON is unchanged."""
    data = [
        "\n".join(line[5:].lstrip() for line in event.splitlines() if line.startswith("data:"))
        for event in content.decode("utf-8-sig").split("\r\n\r\n")
    ]
    return "".join(f"data: {each}\n\n" for each in data if each).encode() or content
