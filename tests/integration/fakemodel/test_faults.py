"""Each fault, as a client really sees it."""

import json
import time
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any

import pytest
import requests

from tests.harness.waiting import wait_until
from tests.integration.fakemodel.server import (
    CHAT,
    COMPLETIONS,
    GENERATE,
    STREAMING_PATHS,
    FakeModel,
    events,
    said,
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
def test_a_status_comes_in_the_formats_shape(
    model: FakeModel, path: str, stream: bool, status: int
) -> None:
    response = model.post(path, f"[[fault:{status}]]", stream=stream)

    assert response.status_code == status
    assert isinstance(message_of(path, response), str)
    assert "retry-after" not in response.headers


def test_retry_after_comes_in_seconds_or_as_a_date(model: FakeModel) -> None:
    seconds = model.post(CHAT, "[[fault:429 retry_after=2]]").headers["retry-after"]
    date = model.post(CHAT, "[[fault:503 retry_date=30]]").headers["retry-after"]

    assert seconds == "2"
    assert 27 < parsedate_to_datetime(date).timestamp() - time.time() <= 31


def test_a_vendors_code_comes_with_its_type(model: FakeModel) -> None:
    error = model.post(CHAT, "[[fault:429 code=insufficient_quota]]").json()["error"]

    assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")


def test_a_loading_model_tells_its_estimated_time(model: FakeModel) -> None:
    response = model.post(GENERATE, "[[fault:loading]]")

    assert response.status_code == 503
    assert response.json() == {"error": "Model m is currently loading", "estimated_time": 20.0}


def test_a_loading_model_is_waited_for_on_request(model: FakeModel) -> None:
    text = "[[fault:loading estimated_time=0.3]]"
    begun = time.monotonic()

    response = model.post(GENERATE, text, options={"wait_for_model": True})

    assert said(GENERATE, response.content, stream=False) == f"echo: {text}"
    assert time.monotonic() - begun >= 0.3


def test_a_fault_can_hit_some_times_and_then_all_is_well(model: FakeModel) -> None:
    statuses = [model.post(CHAT, "[[fault:500 times=2]]").status_code for _ in range(3)]

    assert statuses == [500, 500, 200]


@streamed_or_not
def test_a_hanging_server_sends_nothing(model: FakeModel, stream: bool) -> None:
    with model.opened(CHAT, "[[fault:hang]]", stream=stream) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@streamed_or_not
def test_a_stalling_server_sends_headers_and_nothing_more(model: FakeModel, stream: bool) -> None:
    with model.opened(CHAT, "[[fault:stall after=0]]", stream=stream) as connection:
        head = connection.recv(65536)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)

    assert first_line(head) == b"HTTP/1.1 200 OK"
    assert head.endswith(b"\r\n\r\n")


def test_a_stream_can_stall_after_some_tokens(model: FakeModel) -> None:
    with model.opened(CHAT, "a b c [[fault:stall after=2]]", stream=True) as connection:
        received = b""
        while received.count(b'"delta":{"content":') < 2:
            received += connection.recv(65536)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)

    assert received.endswith(b"\r\n")


@streamed_or_not
def test_a_drip_sends_a_byte_at_a_time(model: FakeModel, stream: bool) -> None:
    with model.opened(CHAT, "[[fault:drip byte_rate=20]]", stream=stream) as connection:
        connection.recv(65536)  # the headers
        begun, received = time.monotonic(), b""
        size = 6 if stream else 1  # a chunk of one byte is "1\r\nx\r\n"
        while len(received) < 10 * size:
            received += connection.recv(65536)  # of several, on a busy machine

    assert 0.3 < time.monotonic() - begun < 8
    if stream:
        assert all(received[at : at + 3] == b"1\r\n" for at in range(0, len(received), size))


def test_a_drip_is_a_byte_a_second_if_not_told_otherwise(model: FakeModel) -> None:
    with model.opened(CHAT, "[[fault:drip]]") as connection:
        connection.recv(65536)
        begun = time.monotonic()
        connection.recv(1)
        connection.recv(1)

    assert 1.5 < time.monotonic() - begun < 15


@each_format
@streamed_or_not
def test_a_cut_reply_is_incomplete_for_its_client(
    model: FakeModel, path: str, stream: bool
) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        model.post(path, "a b c d [[fault:cut after=2]]", stream=stream)


@each_format
def test_a_cut_stream_holds_the_tokens_before_the_cut(model: FakeModel, path: str) -> None:
    raw, was_reset = model.read_raw(path, "a b c d [[fault:cut after=2]]", stream=True)

    assert b"echo:" in raw
    assert b" a" in raw
    assert b" b" not in raw
    assert not raw.endswith(b"0\r\n\r\n")
    assert not was_reset


@streamed_or_not
def test_a_reset_connection_is_reset(model: FakeModel, stream: bool) -> None:
    raw, was_reset = model.read_raw(CHAT, "a b c d [[fault:reset after=2]]", stream=stream)

    assert was_reset
    assert b"echo: a" in raw or (b"echo:" in raw and b" a" in raw)


def test_a_refusing_server_closes_without_a_byte(model: FakeModel) -> None:
    assert model.read_raw(CHAT, "[[fault:refuse]]") == (b"", False)


@each_format
def test_a_stream_can_lack_its_end(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b [[fault:no_end]]", stream=True)

    assert said(path, response.content, stream=True) == "echo: a b [[fault:no_end]]"
    assert b"[DONE]" not in response.content
    assert b'"stop"' not in response.content
    assert b"eos_token" not in response.content


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_a_stream_can_lack_only_its_marker(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b [[fault:no_done]]", stream=True)

    assert b"[DONE]" not in response.content
    assert events(response.content)[-1]["choices"][0]["finish_reason"] == "stop"


@each_format
def test_a_whole_reply_without_end_is_no_json(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b [[fault:no_end]]")

    assert response.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        response.json()


@streamed_or_not
def test_a_gateways_page_comes_with_200(model: FakeModel, stream: bool) -> None:
    response = model.post(CHAT, "[[fault:html]]", stream=stream)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_bytes_that_are_no_http_come_as_they_are(model: FakeModel) -> None:
    raw, _ = model.read_raw(CHAT, "[[fault:not_http]]")

    assert raw.startswith(b"\x15\x03\x01")
    with pytest.raises(requests.ConnectionError):
        model.post(CHAT, "[[fault:not_http]]")


@each_format
def test_one_event_of_a_stream_can_be_broken(model: FakeModel, path: str) -> None:
    content = model.post(path, "a b c [[fault:broken after=1]]", stream=True).content

    broken = [event for event in content.split(b"\n\n") if b'"broken"' in event]
    assert len(broken) == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken[0].partition(b":")[2])


@each_format
@streamed_or_not
def test_a_reply_can_hold_bytes_that_are_no_utf8(model: FakeModel, path: str, stream: bool) -> None:
    content = model.post(path, "a b c [[fault:bad_utf8]]", stream=stream).content

    assert b"\xff\xfe" in content
    with pytest.raises(UnicodeDecodeError):
        content.decode()


@each_format
@streamed_or_not
def test_a_reply_can_hold_half_a_surrogate_pair(model: FakeModel, path: str, stream: bool) -> None:
    content = model.post(path, "a b c [[fault:surrogate]]", stream=stream).content

    assert "\ud83d" in said(path, content, stream=stream)


@each_format
@streamed_or_not
def test_a_gzip_bomb_unpacks_to_what_was_asked(model: FakeModel, path: str, stream: bool) -> None:
    raw, _ = model.read_raw(path, "[[fault:gzip_bomb mb=4]]", stream=stream)
    head, _, _ = raw.partition(b"\r\n\r\n")
    response = model.post(path, "[[fault:gzip_bomb mb=4]]", stream=stream)

    assert b"content-encoding: gzip" in head
    assert len(raw) < MEGABYTE // 10
    assert len(said(path, response.content, stream=stream)) == 4 * MEGABYTE


def test_an_empty_reply_is_in_good_order(model: FakeModel) -> None:
    answer = model.post(CHAT, "[[fault:empty]]").json()

    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert model.say("[[fault:empty]]", stream=True) == ""


@streamed_or_not
def test_a_blank_response_has_no_body(model: FakeModel, stream: bool) -> None:
    response = model.post(CHAT, "[[fault:blank]]", stream=stream)

    assert (response.status_code, response.content) == (200, b"")


@each_format
@streamed_or_not
def test_a_right_reply_can_have_the_wrong_type(model: FakeModel, path: str, stream: bool) -> None:
    response = model.post(path, "a b [[fault:wrong_type]]", stream=stream)

    assert response.headers["content-type"].startswith("text/plain")
    assert said(path, response.content, stream=stream) == "echo: a b [[fault:wrong_type]]"


def test_a_redirect_leads_to_the_same_path(model: FakeModel) -> None:
    response = model.post(CHAT, "[[fault:redirect]]")

    assert response.status_code == 307
    assert response.headers["location"] == f"{CHAT}?redirected=1"


@each_format
@streamed_or_not
@pytest.mark.parametrize("fault", ["huge", "long_line"])
def test_a_huge_reply_has_the_size_that_was_asked_for(
    model: FakeModel, path: str, stream: bool, fault: str
) -> None:
    content = model.post(path, f"[[fault:{fault} mb=3]]", stream=stream).content

    assert len(said(path, content, stream=stream)) == 3 * MEGABYTE
    longest = max(map(len, content.split(b"\n")))
    assert (longest > 3 * MEGABYTE) is not (stream and fault == "huge")


@streamed_or_not
def test_an_endless_reply_goes_on_until_the_client_leaves(model: FakeModel, stream: bool) -> None:
    received = 0
    with model.opened(CHAT, "[[fault:endless]]", stream=stream) as connection:
        while received < 20 * MEGABYTE:
            received += len(connection.recv(MEGABYTE))
        assert model.get("/live")["status"] == "ok"

    wait_until(lambda: model.calls()[0]["closed_early"])


def test_an_endless_stream_can_be_slow(model: FakeModel) -> None:
    with model.opened(CHAT, "[[fault:endless rate=50]]", stream=True) as connection:
        begun = time.monotonic()
        received = b""
        while received.count(b'"delta":{"content":') < 20:
            received += connection.recv(65536)

    assert 0.3 < time.monotonic() - begun < 8


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@streamed_or_not
def test_a_reply_can_end_for_another_reason(model: FakeModel, reason: str, stream: bool) -> None:
    content = model.post(CHAT, f"a b c [[fault:{reason} after=2]]", stream=stream).content
    last = events(content)[-1] if stream else json.loads(content)

    assert said(CHAT, content, stream=stream) == "echo: a"
    assert last["choices"][0]["finish_reason"] == reason


@each_format
def test_a_stream_can_fail_with_an_error_event(model: FakeModel, path: str) -> None:
    told = events(model.post(path, "a b c [[fault:error_event after=1]]", stream=True).content)

    assert "error" in told[-1]
    assert not any("error" in event for event in told[:-1])


@each_format
def test_an_error_can_come_with_200(model: FakeModel, path: str) -> None:
    response = model.post(path, "a b c [[fault:error_event]]")

    assert response.status_code == 200
    assert message_of(path, response)


@each_format
def test_fields_that_no_client_knows_leave_the_reply_intact(model: FakeModel, path: str) -> None:
    whole = model.post(path, "a b [[fault:unknown_fields]]").content

    assert b"x_unknown" in whole
    assert said(path, whole, stream=False) == "echo: a b [[fault:unknown_fields]]"
    streamed = model.post(path, "a b [[fault:unknown_fields]]", stream=True).content
    assert b"x_unknown" in streamed


@each_format
def test_unusual_events_are_legal_and_carry_the_reply(model: FakeModel, path: str) -> None:
    text = "a b [[fault:odd_sse]]"
    content = model.post(path, text, stream=True).content.decode("utf-8-sig")

    told = [
        "\n".join(line[5:].lstrip() for line in event.splitlines() if line.startswith("data:"))
        for event in content.split("\r\n\r\n")
    ]
    plain = "".join(f"data: {data}\n\n" for data in told if data)
    assert said(path, plain.encode(), stream=True) == f"echo: {text}"
    assert said(path, model.post(path, text).content, stream=False) == f"echo: {text}"


@each_format
@streamed_or_not
def test_a_reply_can_come_in_splinters(model: FakeModel, path: str, stream: bool) -> None:
    text = "äöü \U0001f600 [[fault:split]]"
    assert (
        said(path, model.post(path, text, stream=stream).content, stream=stream) == f"echo: {text}"
    )

    with model.opened(path, text, stream=stream) as connection:
        connection.recv(65536)
        sizes = [len(connection.recv(65536)) for _ in range(5)]
    assert median(sizes) < 50  # a busy machine takes several at once


@each_format
@streamed_or_not
def test_a_reply_can_end_with_its_connection(model: FakeModel, path: str, stream: bool) -> None:
    response = model.post(path, "a b [[fault:until_close]]", stream=stream)

    assert not {"content-length", "transfer-encoding"} & {name.lower() for name in response.headers}
    assert said(path, response.content, stream=stream) == "echo: a b [[fault:until_close]]"


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_usage_can_be_withheld(model: FakeModel, path: str) -> None:
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}}

    assert "usage" not in model.post(path, "a [[fault:no_usage]]").json()
    told = events(model.post(path, "a [[fault:no_usage]]", stream=True, **asked).content)
    assert not any(event.get("usage") for event in told)


def test_the_server_survives_all_of_it(model: FakeModel) -> None:
    assert model.say("Still there?") == "echo: Still there?"
