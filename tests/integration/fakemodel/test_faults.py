"""The faults, as a client receives them."""

import json
import time
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any

import pytest
import requests

from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import (
    CHAT,
    COMPLETIONS,
    GENERATE,
    STREAMING_PATHS,
    FakeModel,
    events,
    reply_text,
)

MEGABYTE = 1024 * 1024

each_format = pytest.mark.parametrize("path", STREAMING_PATHS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True])


def first_line(raw: bytes) -> bytes:
    return raw.split(b"\r\n", 1)[0]


def message_of(path: str, response: requests.Response) -> Any:
    error = response.json()["error"]
    return error if path == GENERATE else error["message"]


@each_format
@streamed_or_not
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_status_error_has_the_shape_of_its_format(
    model: FakeModel, path: str, stream: bool, status: int
) -> None:
    response = model.post(path, f"[[fault:{status}]]", stream=stream)

    assert response.status_code == status
    assert isinstance(message_of(path, response), str)
    assert "retry-after" not in response.headers


def test_retry_after_is_seconds_or_a_date(model: FakeModel) -> None:
    seconds = model.post(CHAT, "[[fault:429 retry_after=2]]").headers["retry-after"]
    date = model.post(CHAT, "[[fault:503 retry_after_date=30]]").headers["retry-after"]

    assert seconds == "2"
    assert 27 < parsedate_to_datetime(date).timestamp() - time.time() <= 31


def test_a_vendor_code_has_its_type(model: FakeModel) -> None:
    error = model.post(CHAT, "[[fault:429 code=insufficient_quota]]").json()["error"]

    assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")


def test_a_loading_model_returns_its_estimated_time(model: FakeModel) -> None:
    response = model.post(GENERATE, "[[fault:loading]]")

    assert response.status_code == 503
    assert response.json() == {"error": "Model m is currently loading", "estimated_time": 20.0}


def test_wait_for_model_waits_for_a_loading_model(model: FakeModel) -> None:
    text = "[[fault:loading estimated_time=0.3]]"
    started = time.monotonic()

    response = model.post(GENERATE, text, options={"wait_for_model": True})

    assert reply_text(GENERATE, response.content, stream=False) == f"echo: {text}"
    assert time.monotonic() - started >= 0.3


def test_times_limits_a_fault_to_the_first_calls(model: FakeModel) -> None:
    statuses = [model.post(CHAT, "[[fault:500 times=2]]").status_code for _ in range(3)]

    assert statuses == [500, 500, 200]


@streamed_or_not
def test_hang_sends_nothing(model: FakeModel, stream: bool) -> None:
    with model.open_call(CHAT, "[[fault:hang]]", stream=stream) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@streamed_or_not
def test_stall_can_send_only_headers(model: FakeModel, stream: bool) -> None:
    with model.open_call(CHAT, "[[fault:stall after=0]]", stream=stream) as connection:
        head = connection.recv(65536)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)

    assert first_line(head) == b"HTTP/1.1 200 OK"
    assert head.endswith(b"\r\n\r\n")


def test_stall_can_send_some_tokens(model: FakeModel) -> None:
    with model.open_call(CHAT, "a b c [[fault:stall after=2]]", stream=True) as connection:
        received = b""
        while received.count(b'"delta":{"content":') < 2:
            received += connection.recv(65536)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)

    assert received.endswith(b"\r\n")


@streamed_or_not
def test_drip_sends_single_bytes(model: FakeModel, stream: bool) -> None:
    with model.open_call(CHAT, "[[fault:drip byte_rate=20]]", stream=stream) as connection:
        connection.recv(65536)  # the headers
        started, received = time.monotonic(), b""
        size = 6 if stream else 1  # a chunk of one byte is "1\r\nx\r\n"
        while len(received) < 10 * size:
            received += connection.recv(65536)  # several bytes, on a busy machine

    assert 0.3 < time.monotonic() - started < 8
    if stream:
        assert all(received[at : at + 3] == b"1\r\n" for at in range(0, len(received), size))


def test_drip_sends_one_byte_per_second_by_default(model: FakeModel) -> None:
    with model.open_call(CHAT, "[[fault:drip]]") as connection:
        connection.recv(65536)
        started = time.monotonic()
        connection.recv(1)
        connection.recv(1)

    assert 1.5 < time.monotonic() - started < 15


@each_format
@streamed_or_not
def test_cut_is_an_incomplete_response(model: FakeModel, path: str, stream: bool) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        model.post(path, "a b c d [[fault:cut after=2]]", stream=stream)


@each_format
def test_cut_sends_the_tokens_before_it(model: FakeModel, path: str) -> None:
    raw, was_reset = model.read_raw(path, "a b c d [[fault:cut after=2]]", stream=True)

    assert b"echo:" in raw
    assert b" a" in raw
    assert b" b" not in raw
    assert not raw.endswith(b"0\r\n\r\n")
    assert not was_reset


@streamed_or_not
def test_reset_resets_the_connection(model: FakeModel, stream: bool) -> None:
    raw, was_reset = model.read_raw(CHAT, "a b c d [[fault:reset after=2]]", stream=stream)

    assert was_reset
    assert b"echo: a" in raw or (b"echo:" in raw and b" a" in raw)


def test_disconnect_sends_nothing(model: FakeModel) -> None:
    assert model.read_raw(CHAT, "[[fault:disconnect]]") == (b"", False)


@each_format
def test_no_finish_reason_omits_the_end_of_a_stream(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b [[fault:no_finish_reason]]", stream=True)

    assert reply_text(path, response.content, stream=True) == "echo: a b [[fault:no_finish_reason]]"
    assert b"[DONE]" not in response.content
    assert b'"stop"' not in response.content
    assert b"eos_token" not in response.content


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_no_done_omits_only_the_marker(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b [[fault:no_done]]", stream=True)

    assert b"[DONE]" not in response.content
    assert events(response.content)[-1]["choices"][0]["finish_reason"] == "stop"


@each_format
def test_no_finish_reason_is_half_a_json_object(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b [[fault:no_finish_reason]]")

    assert response.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        response.json()


@streamed_or_not
def test_html_is_a_page_with_status_200(model: FakeModel, stream: bool) -> None:
    response = model.post(CHAT, "[[fault:html]]", stream=stream)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_not_http_is_not_valid_http(model: FakeModel) -> None:
    raw, _ = model.read_raw(CHAT, "[[fault:not_http]]")

    assert raw.startswith(b"\x15\x03\x01")
    with pytest.raises(requests.ConnectionError):
        model.post(CHAT, "[[fault:not_http]]")


@each_format
def test_invalid_json_is_in_one_event(model: FakeModel, path: str) -> None:
    content = model.post(path, "a b c [[fault:invalid_json after=1]]", stream=True).content

    invalid = [event for event in content.split(b"\n\n") if b'"invalid"' in event]
    assert len(invalid) == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(invalid[0].partition(b":")[2])


@each_format
@streamed_or_not
def test_invalid_utf8_cannot_be_decoded(model: FakeModel, path: str, stream: bool) -> None:
    content = model.post(path, "a b c [[fault:invalid_utf8]]", stream=stream).content

    assert b"\xff\xfe" in content
    with pytest.raises(UnicodeDecodeError):
        content.decode()


@each_format
@streamed_or_not
def test_lone_surrogate_is_in_the_text(model: FakeModel, path: str, stream: bool) -> None:
    content = model.post(path, "a b c [[fault:lone_surrogate]]", stream=stream).content

    assert "\ud83d" in reply_text(path, content, stream=stream)


@each_format
@streamed_or_not
def test_gzip_bomb_expands_to_its_size(model: FakeModel, path: str, stream: bool) -> None:
    raw, _ = model.read_raw(path, "[[fault:gzip_bomb mb=4]]", stream=stream)
    head, _, _ = raw.partition(b"\r\n\r\n")
    response = model.post(path, "[[fault:gzip_bomb mb=4]]", stream=stream)

    assert b"content-encoding: gzip" in head
    assert len(raw) < MEGABYTE // 10
    assert len(reply_text(path, response.content, stream=stream)) == 4 * MEGABYTE


def test_empty_reply_is_a_valid_response(model: FakeModel) -> None:
    completion = model.post(CHAT, "[[fault:empty_reply]]").json()

    assert completion["choices"][0]["message"]["content"] == ""
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert model.ask("[[fault:empty_reply]]", stream=True) == ""


@streamed_or_not
def test_empty_body_has_status_200(model: FakeModel, stream: bool) -> None:
    response = model.post(CHAT, "[[fault:empty_body]]", stream=stream)

    assert (response.status_code, response.content) == (200, b"")


@each_format
@streamed_or_not
def test_wrong_content_type_has_the_correct_body(model: FakeModel, path: str, stream: bool) -> None:
    response = model.post(path, "a b [[fault:wrong_content_type]]", stream=stream)

    assert response.headers["content-type"].startswith("text/plain")
    assert (
        reply_text(path, response.content, stream=stream)
        == "echo: a b [[fault:wrong_content_type]]"
    )


def test_redirect_leads_to_the_same_path(model: FakeModel) -> None:
    response = model.post(CHAT, "[[fault:redirect]]")

    assert response.status_code == 307
    assert response.headers["location"] == f"{CHAT}?redirected=1"


@each_format
@streamed_or_not
@pytest.mark.parametrize("fault", ["huge", "long_line"])
def test_oversized_replies_have_the_requested_size(
    model: FakeModel, path: str, stream: bool, fault: str
) -> None:
    content = model.post(path, f"[[fault:{fault} mb=3]]", stream=stream).content

    assert len(reply_text(path, content, stream=stream)) == 3 * MEGABYTE
    longest = max(map(len, content.split(b"\n")))
    assert (longest > 3 * MEGABYTE) is not (stream and fault == "huge")


@streamed_or_not
def test_endless_ends_when_the_client_disconnects(model: FakeModel, stream: bool) -> None:
    received = 0
    with model.open_call(CHAT, "[[fault:endless]]", stream=stream) as connection:
        while received < 20 * MEGABYTE:
            received += len(connection.recv(MEGABYTE))
        assert model.get("/live")["status"] == "ok"

    wait_until(lambda: model.calls()[0]["client_disconnected"])


def test_endless_can_have_a_rate(model: FakeModel) -> None:
    with model.open_call(CHAT, "[[fault:endless rate=50]]", stream=True) as connection:
        started = time.monotonic()
        received = b""
        while received.count(b'"delta":{"content":') < 20:
            received += connection.recv(65536)

    assert 0.3 < time.monotonic() - started < 8


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@streamed_or_not
def test_a_fault_can_set_the_finish_reason(model: FakeModel, reason: str, stream: bool) -> None:
    content = model.post(CHAT, f"a b c [[fault:{reason} after=2]]", stream=stream).content
    last = events(content)[-1] if stream else json.loads(content)

    assert reply_text(CHAT, content, stream=stream) == "echo: a"
    assert last["choices"][0]["finish_reason"] == reason


@each_format
def test_error_event_ends_a_stream(model: FakeModel, path: str) -> None:
    chunks = events(model.post(path, "a b c [[fault:error_event after=1]]", stream=True).content)

    assert "error" in chunks[-1]
    assert not any("error" in event for event in chunks[:-1])


@each_format
def test_error_event_in_json_has_status_200(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b c [[fault:error_event]]")

    assert response.status_code == 200
    assert message_of(path, response)


@each_format
def test_unknown_fields_leave_the_reply_intact(model: FakeModel, path: str) -> None:
    content = model.post(path, "a b [[fault:unknown_fields]]").content

    assert b"x_unknown" in content
    assert reply_text(path, content, stream=False) == "echo: a b [[fault:unknown_fields]]"
    streamed = model.post(path, "a b [[fault:unknown_fields]]", stream=True).content
    assert b"x_unknown" in streamed


@each_format
def test_unusual_sse_is_valid_and_complete(model: FakeModel, path: str) -> None:
    text = "a b [[fault:unusual_sse]]"
    content = model.post(path, text, stream=True).content.decode("utf-8-sig")

    data = [
        "\n".join(line[5:].lstrip() for line in event.splitlines() if line.startswith("data:"))
        for event in content.split("\r\n\r\n")
    ]
    plain = "".join(f"data: {line}\n\n" for line in data if line)
    assert reply_text(path, plain.encode(), stream=True) == f"echo: {text}"
    assert reply_text(path, model.post(path, text).content, stream=False) == f"echo: {text}"


@each_format
@streamed_or_not
def test_split_sends_small_parts(model: FakeModel, path: str, stream: bool) -> None:
    text = "äöü \U0001f600 [[fault:split]]"
    assert (
        reply_text(path, model.post(path, text, stream=stream).content, stream=stream)
        == f"echo: {text}"
    )

    with model.open_call(path, text, stream=stream) as connection:
        connection.recv(65536)
        sizes = [len(connection.recv(65536)) for _ in range(5)]
    assert median(sizes) < 50  # a busy machine receives several parts at once


@each_format
@streamed_or_not
def test_close_delimited_has_no_length_and_no_chunks(
    model: FakeModel, path: str, stream: bool
) -> None:
    response = model.post(path, "a b [[fault:close_delimited]]", stream=stream)

    assert not {"content-length", "transfer-encoding"} & {name.lower() for name in response.headers}
    assert (
        reply_text(path, response.content, stream=stream) == "echo: a b [[fault:close_delimited]]"
    )


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_no_usage_omits_the_usage(model: FakeModel, path: str) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}}

    assert "usage" not in model.post(path, "a [[fault:no_usage]]").json()
    chunks = events(model.post(path, "a [[fault:no_usage]]", stream=True, **options).content)
    assert not any(event.get("usage") for event in chunks)


def test_the_server_still_works_after_all_faults(model: FakeModel) -> None:
    assert model.ask("Still there?") == "echo: Still there?"
