"""Sessions over REST."""

import pytest
from redis import Redis

from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import append_text, claim_turn, complete_turn, finish_turn


def test_new_session_has_defaults(api: APIClient) -> None:
    response = api.post("/sessions")
    assert response.status_code == 201
    session = response.json()
    assert response.headers["Location"] == f"/sessions/{session['id']}"
    assert session["token"].startswith(session["id"] + ".")
    assert session["expires_at"] - session["created_at"] == pytest.approx(3600)
    assert (session["status"], session["seq"], session["messages"]) == ("idle", 0, [])
    assert session["context"] == {"messages": 20, "tokens": 0}
    assert (session["name"], session["model"], session["system_prompt"]) == ("", "default", None)


def test_session_can_be_created_without_a_body(api: APIClient) -> None:
    assert api.request("POST", "/sessions").status_code == 201


def test_new_session_has_the_requested_fields(api: APIClient) -> None:
    fields = {
        "name": "Größe",
        "system_prompt": 'Be "brief".',
        "model": "default",
        "context": {"messages": 4, "tokens": 1000},
        "metadata": {"a": [1, 2.5, None, {"b": "ü"}]},
    }
    owner = api.open_session(ttl=60, **fields)
    session = owner.get_session()
    assert {name: session[name] for name in fields} == fields
    assert session["expires_at"] - session["last_active_at"] == pytest.approx(60)


@pytest.mark.security("S08", "S15")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": 1}, "name"),
        ({"webhook_url": 1}, "webhook_url"),
        ({"name": "x" * 201}, "name"),
        ({"model": 7}, "model"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 5000}}, "metadata"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": "60"}, "ttl"),
        ({"ttl": 1.5}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"ttl": 10**9}, "ttl"),
        ({"context": {"messages": -1}}, "context.messages"),
        ({"context": {"nope": 1}}, "context.nope"),
        ({"context": 5}, "context"),
        ({"system_prompt": "x" * 40_000}, "system_prompt"),
    ],
)
def test_invalid_session_fields_are_rejected(
    api: APIClient, owner: APIClient, fields: dict[str, object], param: str
) -> None:
    for response in (
        api.post("/sessions", fields),
        owner.request("PATCH", owner.path, json=fields),
    ):
        assert status_and_code(response) == (400, "invalid_request")
        assert response.json()["error"]["param"] == param


def test_unknown_model_is_rejected(api: APIClient) -> None:
    response = api.post("/sessions", {"model": "nope"})
    assert status_and_code(response) == (400, "unknown_model")
    assert response.json()["error"]["param"] == "model"


def test_webhook_requires_a_secret(api: APIClient, owner: APIClient) -> None:
    wish = {"webhook_url": "https://example.org/hook"}
    for response in (api.post("/sessions", wish), owner.request("PATCH", owner.path, json=wish)):
        assert status_and_code(response) == (400, "invalid_request")
        assert response.json()["error"]["param"] == "webhook_url"
    assert api.post("/sessions", {"webhook_url": None}).json()["webhook_url"] is None


def test_session_can_be_updated(owner: APIClient) -> None:
    changes = {"name": "new", "metadata": {"x": 1}, "context": {"messages": 2}, "ttl": 100}
    changed = owner.request("PATCH", owner.path, json=changes)
    assert changed.status_code == 200
    session = changed.json()
    assert (session["name"], session["metadata"]) == ("new", {"x": 1})
    assert session["context"] == {"messages": 2, "tokens": 0}
    assert session["expires_at"] - session["last_active_at"] == pytest.approx(100)
    assert session["seq"] == 1
    cleared = owner.request("PATCH", owner.path, json={"system_prompt": None, "model": None})
    assert (cleared.json()["system_prompt"], cleared.json()["model"]) == (None, "default")


@pytest.mark.security("S41")
def test_deleted_session_leaves_no_key(owner: APIClient, redis: Redis) -> None:
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    append_text(claim, "he")
    owner.post_message("and another")
    response = owner.request("DELETE", owner.path)
    assert (response.status_code, response.content) == (204, b"")
    assert [key for key in redis.scan_iter() if owner.id.encode() in key] == []
    members = [redis.zrange(key, 0, -1) for key in redis.scan_iter("chat:*", _type="zset")]
    assert not any(owner.id.encode() in ids for ids in members)
    assert status_and_code(owner.get()) == (404, "session_not_found")
    assert status_and_code(owner.request("DELETE", owner.path)) == (404, "session_not_found")


def test_reset_deletes_messages_and_keeps_the_session(owner: APIClient) -> None:
    owner.post_message("one")
    complete_turn(owner.id, "two")
    owner.post_message("three")
    reset = owner.post(f"{owner.path}/reset")
    assert reset.status_code == 200
    assert (reset.json()["messages"], reset.json()["status"]) == ([], "idle")
    assert owner.post_message("again")["message"]["id"] == "msg_5"


def test_snapshot_contains_only_later_changes(owner: APIClient) -> None:
    owner.post_message("one")
    complete_turn(owner.id, "first")
    seq = owner.get_session()["seq"]
    assert owner.get_session(after=seq)["messages"] == []
    owner.post_message("two")
    assert [m["content"] for m in owner.get_session(after=seq)["messages"]] == ["two", ""]
    assert [m["content"] for m in owner.get_session(limit=1)["messages"]] == [""]
    assert owner.get_session(limit=1)["has_more"] is True


def test_unchanged_session_returns_304_without_a_body(owner: APIClient) -> None:
    owner.post_message("one")
    etag = owner.get().headers["ETag"]
    same = owner.get(headers={"If-None-Match": etag})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    for query in ({}, {"wait": 0.1}):
        anything = owner.get(params=query, headers={"If-None-Match": "*"})
        assert (anything.status_code, anything.headers["ETag"]) == (304, etag)
    listed = owner.get(headers={"If-None-Match": f'W/"x", {etag}'})
    assert listed.status_code == 304
    assert owner.get(params={"limit": 1}, headers={"If-None-Match": etag}).status_code == 200
    owner.post_message("two")
    assert owner.get(headers={"If-None-Match": etag}).status_code == 200


def test_partial_reply_is_visible_and_polled_faster(owner: APIClient) -> None:
    assert owner.get_session()["next_poll"] == 5
    owner.post_message("hello")
    assert (owner.get_session()["status"], owner.get_session()["next_poll"]) == ("busy", 0.5)
    claim = claim_turn(owner.id)
    append_text(claim, 'half "an')
    session = owner.get_session()
    assert session["next_poll"] == 0.25
    assert session["messages"][1]["status"] == "in_progress"
    assert session["messages"][1]["content"] == 'half "an'
    etag = owner.get().headers["ETag"]
    append_text(claim, ' answer"', after='half "an')
    assert owner.get(headers={"If-None-Match": etag}).status_code == 200
    finish_turn(claim, ".", after='half "an answer"')
    session = owner.get_session()
    assert session["messages"][1]["content"] == 'half "an answer".'
    assert (session["status"], session["next_poll"]) == ("idle", 5)
