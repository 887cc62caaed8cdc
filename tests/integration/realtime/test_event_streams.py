"""Server-Sent Events: what a browser's EventSource and a script with curl make use of."""

from collections.abc import Callable

import pytest
import requests

from tests.integration.api.calls import Api, refusal
from tests.integration.api.turns import reply
from tests.integration.realtime.ways import Stream

Streams = Callable[..., Stream]


def test_the_headers_keep_proxies_from_holding_it_back(owner: Api, stream: Streams) -> None:
    headers = stream(owner).response.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Length" not in headers


def test_it_says_first_when_to_come_back(owner: Api, stream: Streams) -> None:
    assert 1000 <= int(stream(owner).block()["retry"]) <= 3000


def test_it_brings_what_is_kept_and_then_what_happens(owner: Api, stream: Streams) -> None:
    owner.say("hello")
    opened = stream(owner)
    assert opened.hear()["seq"] == 1
    reply(owner.id, "Hi!")
    assert [event["seq"] for event in opened.until("message.completed")] == [2, 3, 4]


def test_it_resumes_by_its_last_id_before_all_else(owner: Api, stream: Streams) -> None:
    owner.say("hello")
    reply(owner.id, "Hi!")
    assert stream(owner, after=2).hear()["seq"] == 3
    assert stream(owner, last_event_id=3).hear()["seq"] == 4
    assert stream(owner, after=1, last_event_id=3).hear()["seq"] == 4


def test_a_gap_has_the_id_to_ask_from_again(owner: Api, stream: Streams) -> None:
    owner.say("hello")
    opened = stream(owner, after=1000)
    opened.block()
    gap, snapshot = opened.block(), opened.block()
    assert (gap["event"], gap["id"]) == ("gap", "1000")
    assert (snapshot["event"], snapshot["id"]) == ("snapshot", "1")


def test_comments_show_that_it_lives(hasty: Api, stream: Streams) -> None:
    opened = stream(hasty)
    opened.block()
    assert opened.block() == {"": ""}
    assert opened.block() == {"": ""}


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
    owner: Api, arguments: dict[str, dict[str, str]], code: str
) -> None:
    assert refusal(owner.get(f"{owner.path}/events", **arguments))[1] == code


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_it_can_only_be_read(owner: Api, method: str) -> None:
    answer = owner.call(method, f"{owner.path}/events", json={})
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"


def test_pages_of_listed_origins_may_follow(owner: Api, stream: Streams) -> None:
    asked = requests.options(
        f"{owner.url}{owner.path}/events",
        headers={"Origin": "https://listed.example", "Access-Control-Request-Method": "GET"},
        timeout=5,
    )
    assert asked.status_code == 204
    assert "Last-Event-ID" in asked.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in stream(owner).response.headers
