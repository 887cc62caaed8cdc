"""Server-Sent Events: what a browser's EventSource and a script with curl make use of."""

from collections.abc import Callable

import pytest
import requests

from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import complete_turn
from tests.integration.realtime.clients import EventStreamClient

Streams = Callable[..., EventStreamClient]


def test_the_headers_keep_proxies_from_holding_it_back(owner: APIClient, stream: Streams) -> None:
    headers = stream(owner).response.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Length" not in headers


def test_it_says_first_when_to_come_back(owner: APIClient, stream: Streams) -> None:
    assert 1000 <= int(stream(owner).read_block()["retry"]) <= 3000


def test_it_brings_what_is_kept_and_then_what_happens(owner: APIClient, stream: Streams) -> None:
    owner.post_message("hello")
    opened = stream(owner)
    assert opened.receive()["seq"] == 1
    complete_turn(owner.id, "Hi!")
    assert [event["seq"] for event in opened.receive_until("message.completed")] == [2, 3, 4]


def test_it_resumes_by_its_last_id_before_all_else(owner: APIClient, stream: Streams) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "Hi!")
    assert stream(owner, after=2).receive()["seq"] == 3
    assert stream(owner, last_event_id=3).receive()["seq"] == 4
    assert stream(owner, after=1, last_event_id=3).receive()["seq"] == 4


def test_a_gap_has_the_id_to_ask_from_again(owner: APIClient, stream: Streams) -> None:
    owner.post_message("hello")
    opened = stream(owner, after=1000)
    opened.read_block()
    gap, snapshot = opened.read_block(), opened.read_block()
    assert (gap["event"], gap["id"]) == ("gap", "1000")
    assert (snapshot["event"], snapshot["id"]) == ("snapshot", "1")


def test_comments_show_that_it_lives(hasty: APIClient, stream: Streams) -> None:
    opened = stream(hasty)
    opened.read_block()
    assert opened.read_block() == {"": ""}
    assert opened.read_block() == {"": ""}


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
def test_what_is_asked_wrongly_is_refused_as_ever(
    owner: APIClient, arguments: dict[str, dict[str, str]], code: str
) -> None:
    assert status_and_code(owner.get(f"{owner.path}/events", **arguments))[1] == code


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_it_can_only_be_read(owner: APIClient, method: str) -> None:
    answer = owner.request(method, f"{owner.path}/events", json={})
    assert status_and_code(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"


def test_pages_of_listed_origins_may_follow(owner: APIClient, stream: Streams) -> None:
    asked = requests.options(
        f"{owner.url}{owner.path}/events",
        headers={"Origin": "https://listed.example", "Access-Control-Request-Method": "GET"},
        timeout=5,
    )
    assert asked.status_code == 204
    assert "Last-Event-ID" in asked.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in stream(owner).response.headers
