"""Messages and turns over REST."""

import pytest

from chat.conversation import llms
from chat.conversation.context_window import build_prompt
from chat.domain import Status
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import append_text, claim_turn, complete_turn, finish_turn


def test_message_is_accepted_with_202(owner: APIClient) -> None:
    response = owner.post("/messages", {"content": "hello"})
    assert response.status_code == 202
    assert response.headers["Location"] == f"{owner.path}/messages/msg_2"
    body = response.json()
    assert (body["message"]["role"], body["message"]["status"]) == ("user", "completed")
    assert (body["reply"]["role"], body["reply"]["status"]) == ("assistant", "queued")
    assert body["reply"]["reply_to"] == body["message"]["id"]
    assert body["queue_position"] == 0
    reply = owner.get(response.headers["Location"])
    assert (reply.status_code, reply.json()["id"]) == (200, "msg_2")


def test_session_is_taken_from_path_body_or_token(owner: APIClient, api: APIClient) -> None:
    assert owner.post(f"{owner.path}/messages", {"content": "one"}).status_code == 202
    assert owner.post("/messages", {"content": "two", "session": owner.id}).status_code == 202
    other = {"content": "three", "session": api.open_session().id}
    assert status_and_code(owner.post("/messages", other)) == (404, "session_not_found")


def test_queued_replies_have_a_position(owner: APIClient) -> None:
    assert [owner.post_message("hello")["queue_position"] for _ in range(3)] == [0, 1, 2]
    waits = [m["wait"] for m in owner.get_session()["messages"] if m["role"] == "assistant"]
    assert [wait["position"] for wait in waits] == [0, 1, 2]


@pytest.mark.security("S08")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"options": {"temperature": "hot"}}, "options.temperature"),
        ({"options": {"temperature": 2.5}}, "options.temperature"),
        ({"options": {"max_tokens": 0}}, "options.max_tokens"),
        ({"options": {"max_tokens": 1.5}}, "options.max_tokens"),
        ({"options": {"stop": "x"}}, "options.stop"),
        ({"options": {"stop": ["a", 1]}}, "options.stop.1"),
        ({"options": {"stop": ["a"] * 5}}, "options.stop"),
        ({"options": {"stream": True}}, "options.stream"),
        ({"options": []}, "options"),
        ({"on_busy": "panic"}, "on_busy"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": 10**6}, "deadline"),
        ({"session": 5}, "session"),
    ],
)
def test_invalid_message_is_rejected(
    owner: APIClient, fields: dict[str, object], param: str
) -> None:
    response = owner.post("/messages", {"content": "hello", **fields})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == param


def test_options_are_passed_to_the_worker(owner: APIClient) -> None:
    options = {"max_tokens": 5, "temperature": 0, "top_p": 1, "stop": ["x"], "seed": 7}
    response = owner.post(
        "/messages", {"content": "hello", "options": options}, X_Request_ID="req-7"
    )
    assert response.status_code == 202
    claim = claim_turn(owner.id)
    assert (claim.options.max_tokens, claim.options.stop) == (5, ("x",))
    assert claim.request_id == "req-7"


def test_history_is_paginated(owner: APIClient) -> None:
    for number in range(5):
        owner.post_message(f"question {number}")
        complete_turn(owner.id, f"answer {number}")

    def read_page(**query: object) -> tuple[list[str], bool]:
        page = owner.get(f"{owner.path}/messages", params=query).json()
        ids = [message["id"] for message in page["data"]]
        assert (page["first_id"], page["last_id"]) == (ids[0], ids[-1]) if ids else (None, None)
        return ids, page["has_more"]

    assert read_page(limit=3) == (["msg_1", "msg_2", "msg_3"], True)
    assert read_page(limit=3, after="msg_3") == (["msg_4", "msg_5", "msg_6"], True)
    assert read_page(limit=3, order="desc") == (["msg_10", "msg_9", "msg_8"], True)
    assert read_page(limit=2, before="msg_3") == (["msg_1", "msg_2"], False)
    assert read_page(limit=2, before="msg_3", order="desc") == (["msg_2", "msg_1"], False)
    assert read_page(limit=2, before="msg_900") == (["msg_9", "msg_10"], True)
    assert read_page(after="msg_10") == ([], False)


def test_unknown_message_is_not_found(owner: APIClient) -> None:
    for path in ("msg_1", "msg_0", "1", "msg_99999999999999999999"):
        response = owner.get(f"{owner.path}/messages/{path}")
        assert status_and_code(response) == (404, "message_not_found")
        cancelled = owner.post(f"{owner.path}/messages/{path}/cancel")
        assert status_and_code(cancelled) == (404, "message_not_found")


def test_queued_turn_is_cancelled_immediately(owner: APIClient) -> None:
    owner.post_message("hello")
    path = f"{owner.path}/messages/msg_2/cancel"
    cancelled = owner.post(path)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = owner.post(path)
    assert (again.status_code, again.json()) == (200, cancelled.json())


def test_running_turn_is_cancelled_by_the_worker(owner: APIClient) -> None:
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    path = f"{owner.path}/messages/msg_1/cancel"
    response = owner.post(path)
    assert (response.status_code, response.json()["status"]) == (202, "in_progress")
    assert append_text(claim, "part") is True
    finish_turn(claim, after="part", status=Status.CANCELLED)
    final = owner.post(path)
    assert (final.status_code, final.json()["content"]) == (200, "part")


def test_edited_message_replaces_that_of_the_last_turn(owner: APIClient) -> None:
    for content, reply in (("one", "first"), ("two", "second")):
        owner.post_message(content)
        complete_turn(owner.id, reply)
    body = {"content": "two, edited", "replaces": "msg_3"}
    older = owner.post("/messages", body | {"replaces": "msg_1"})
    assert status_and_code(older) == (409, "not_editable")
    assert status_and_code(owner.post("/messages", body | {"replaces": "x"})) == (
        404,
        "message_not_found",
    )
    continued = owner.post("/messages", {"continue": True, "replaces": "msg_3"})
    assert continued.json()["error"]["param"] == "replaces"
    edited = owner.post("/messages", body).json()["message"]
    assert (edited["id"], edited["replaces"]) == ("msg_5", "msg_3")
    assert "replaces" not in owner.get(f"{owner.path}/messages/msg_3").json()
    prompt = build_prompt(claim_turn(owner.id), llms.get("default"))
    assert [message.content for message in prompt.messages] == ["one", "first", "two, edited"]


def test_last_reply_can_be_regenerated(owner: APIClient) -> None:
    owner.post_message("one")
    complete_turn(owner.id, "first")
    owner.post_message("two")
    complete_turn(owner.id, "second")
    first = owner.post(f"{owner.path}/messages/msg_2/regenerate")
    assert status_and_code(first) == (409, "not_regenerable")
    accepted = owner.post(f"{owner.path}/messages/msg_4/regenerate", {"options": {"seed": 1}})
    assert accepted.status_code == 202
    assert accepted.json()["message"]["content"] == "two"
    complete_turn(owner.id, "better")
    assert owner.get_session()["messages"][-1]["content"] == "better"
