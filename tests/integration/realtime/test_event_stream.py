"""Server-Sent Events, as EventSource and curl receive them."""

from collections.abc import Callable

import pytest
import requests

from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import complete_turn
from tests.integration.realtime.clients import EventStreamClient

OpenStream = Callable[..., EventStreamClient]


def test_headers_prevent_proxy_buffering(owner: APIClient, open_stream: OpenStream) -> None:
    headers = open_stream(owner).response.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Length" not in headers


def test_stream_starts_with_a_retry_delay(owner: APIClient, open_stream: OpenStream) -> None:
    assert 1000 <= int(open_stream(owner).read_block()["retry"]) <= 3000


def test_stream_sends_logged_and_new_events(owner: APIClient, open_stream: OpenStream) -> None:
    owner.post_message("hello")
    sse = open_stream(owner)
    assert sse.receive()["seq"] == 1
    complete_turn(owner.id, "Hi!")
    assert [event["seq"] for event in sse.receive_until("message.completed")] == [2, 3, 4]


def test_last_event_id_takes_precedence_over_after(
    owner: APIClient, open_stream: OpenStream
) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "Hi!")
    assert open_stream(owner, after=2).receive()["seq"] == 3
    assert open_stream(owner, last_event_id=3).receive()["seq"] == 4
    assert open_stream(owner, after=1, last_event_id=3).receive()["seq"] == 4


def test_gap_has_the_requested_seq_as_id(owner: APIClient, open_stream: OpenStream) -> None:
    owner.post_message("hello")
    sse = open_stream(owner, after=1000)
    sse.read_block()
    gap, snapshot = sse.read_block(), sse.read_block()
    assert (gap["event"], gap["id"]) == ("gap", "1000")
    assert (snapshot["event"], snapshot["id"]) == ("snapshot", "1")


def test_heartbeats_are_comments(limited: APIClient, open_stream: OpenStream) -> None:
    sse = open_stream(limited)
    sse.read_block()
    assert sse.read_block() == {"": ""}
    assert sse.read_block() == {"": ""}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"params": {"after": "x"}}, "invalid_request"),
        ({"params": {"after": "-1"}}, "invalid_request"),
        ({"params": {"wait": "1"}}, "invalid_request"),
        ({"params": {"token": "x"}}, "invalid_request"),
        ({"headers": {"Last-Event-ID": "x"}}, "invalid_request"),
        ({"headers": {"Authorization": "Bearer x"}}, "invalid_token"),
        ({"params": {"ticket": "x"}}, "invalid_token"),
    ],
)
def test_invalid_request_is_rejected(
    owner: APIClient, arguments: dict[str, dict[str, str]], code: str
) -> None:
    assert status_and_code(owner.get(f"{owner.path}/events", **arguments))[1] == code


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_stream_allows_only_get(owner: APIClient, method: str) -> None:
    response = owner.request(method, f"{owner.path}/events", json={})
    assert status_and_code(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET"


def test_listed_origins_may_open_a_stream(owner: APIClient, open_stream: OpenStream) -> None:
    preflight = requests.options(
        f"{owner.url}{owner.path}/events",
        headers={"Origin": "https://listed.example", "Access-Control-Request-Method": "GET"},
        timeout=5,
    )
    assert preflight.status_code == 204
    assert "Last-Event-ID" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in open_stream(owner).response.headers
