"""Feedback on replies."""

from typing import Any

import pytest

from chat.conversation import sessions, staff
from chat.domain import Caller, Status
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import claim_turn, complete_turn, finish_turn

TRICKY = 'so "so", "feedback":null} \\ "wait":{"position":7}}'


def rate(owner: APIClient, message_id: str = "msg_2", **fields: Any) -> Any:
    return owner.post(f"{owner.path}/messages/{message_id}/feedback", fields)


def remove_rating(owner: APIClient, message_id: str = "msg_2") -> Any:
    return owner.request("DELETE", f"{owner.path}/messages/{message_id}/feedback")


def post_and_reply(owner: APIClient, text: str = "a reply") -> None:
    owner.post_message("a question")
    complete_turn(owner.id, text)


def last_message(owner: APIClient) -> dict[str, Any]:
    event: dict[str, Any] = owner.get_session()["messages"][-1]
    return event


def test_reply_can_be_rated_rerated_and_unrated(owner: APIClient) -> None:
    post_and_reply(owner, TRICKY)
    before = last_message(owner)
    assert before["feedback"] is None
    for fields in ({"rating": "up", "comment": TRICKY}, {"rating": "down", "comment": ""}):
        response = rate(owner, **fields)
        assert response.status_code == 200
        rated = last_message(owner)
        assert response.json() == rated == before | {"feedback": fields, "seq": rated["seq"]}
    assert remove_rating(owner).json() == before | {"seq": rated["seq"] + 1} == last_message(owner)


def test_repeated_feedback_changes_nothing(owner: APIClient) -> None:
    post_and_reply(owner)
    seqs = []
    for act in (rate, rate, remove_rating, remove_rating):
        act(owner, rating="up", comment="good") if act is rate else act(owner)
        seqs.append(owner.get_session()["seq"])
    assert (seqs[1], seqs[2], seqs[3]) == (seqs[0], seqs[0] + 1, seqs[0] + 1)


def test_feedback_is_an_event(owner: APIClient) -> None:
    post_and_reply(owner)
    seq = owner.get_session()["seq"]
    rate(owner, rating="down", comment="too long")
    (message,) = owner.get_session(after=seq)["messages"]
    assert message["feedback"] == {"rating": "down", "comment": "too long"}
    events = sessions.events(Caller.internal(owner.id), after=seq).events
    assert [b'"type":"message.rated"' in event for event in events] == [True]


@pytest.mark.parametrize("status", [Status.INCOMPLETE, Status.FAILED, Status.CANCELLED])
def test_incomplete_replies_can_be_rated(owner: APIClient, status: Status) -> None:
    owner.post_message("a question")
    finish_turn(claim_turn(owner.id), "half a", status=status)
    assert rate(owner, rating="down").json()["feedback"] == {"rating": "down", "comment": ""}


def test_only_finished_replies_can_be_rated(owner: APIClient) -> None:
    owner.post_message("a question")
    waiting = last_message(owner)
    assert status_and_code(rate(owner, "msg_1", rating="up")) == (409, "feedback_not_allowed")
    assert status_and_code(rate(owner, rating="up")) == (409, "feedback_not_allowed")
    claim = claim_turn(owner.id)
    assert status_and_code(rate(owner, rating="up")) == (409, "feedback_not_allowed")
    assert status_and_code(remove_rating(owner)) == (409, "feedback_not_allowed")
    assert status_and_code(rate(owner, "msg_4", rating="up")) == (404, "message_not_found")
    assert status_and_code(rate(owner, "4", rating="up")) == (404, "message_not_found")
    finish_turn(claim)
    assert waiting["feedback"] is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "rating"),
        ({"rating": "sideways"}, "rating"),
        ({"rating": None}, "rating"),
        ({"rating": "up", "comment": "x" * 2001}, "comment"),
        ({"rating": "up", "stars": 5}, "stars"),
    ],
)
def test_invalid_feedback_is_rejected(owner: APIClient, fields: dict[str, Any], param: str) -> None:
    post_and_reply(owner)
    response = rate(owner, **fields)
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == param
    assert last_message(owner)["feedback"] is None


def test_redaction_keeps_rating_and_removes_comment(owner: APIClient) -> None:
    post_and_reply(owner, "it is 4711")
    rate(owner, rating="down", comment="nobody should know 4711")
    staff.redact(owner.id, "msg_2")
    assert "4711" not in owner.get().text
    assert last_message(owner)["feedback"] == {"rating": "down", "comment": ""}


def test_rated_reply_can_be_regenerated(owner: APIClient) -> None:
    post_and_reply(owner)
    rate(owner, rating="down")
    again = owner.post(f"{owner.path}/messages/msg_2/regenerate")
    assert again.status_code == 202
    complete_turn(owner.id, "better")
    assert [m["feedback"] for m in owner.get_session()["messages"][1:]] == [
        {"rating": "down", "comment": ""},
        None,
    ]
