"""Users: the list of their sessions, and the erasure of everything."""

from collections.abc import Callable
from typing import Any

import pytest

from chat.store import audit, keys
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient
from tests.integration.realtime.test_api_keys import UNAUTHORIZED, KeyClient
from tests.integration.realtime.test_api_keys import key as key  # noqa: PLC0414  # a fixture

Key = Callable[..., KeyClient]


def names(client: APIClient, **query: object) -> list[str]:
    response = client.get("/sessions", params=query)
    assert response.status_code == 200, response.text
    return [each["name"] for each in response.json()["data"]]


def test_list_has_the_users_sessions_by_activity(key: Key, parley: Stack) -> None:
    alice = key(user="alice")
    first, second = alice.open(name="first"), alice.open(name="second")
    for other in (
        KeyClient(alice.url, alice.token, user="bob"),
        KeyClient(alice.url, alice.token),
        key(tenant="other", user="alice"),
        APIClient(alice.url),
    ):
        other.open_session(name="not hers")
    assert names(alice) == ["second", "first"]
    assert first.post("/messages", {"content": "hello", "session": first.id}).status_code == 202
    assert names(KeyClient(parley.web(1).url, alice.token, user="alice")) == ["first", "second"]
    listed = alice.get("/sessions").json()
    busy, idle = listed["data"]
    assert (busy["id"], busy["status"], idle["status"]) == (first.id, "busy", "idle")
    assert busy["last_active_at"] == first.get_session()["last_active_at"]
    assert (idle["id"], idle["model"], listed["next_before"]) == (second.id, "default", None)


def test_pages_contain_each_session_once(key: Key) -> None:
    alice = key(user="alice")
    for number in range(7):
        alice.open_session(name=str(number))
    found, before = [], None
    while True:
        query = {"limit": 3} | ({"before": before} if before else {})
        page = alice.get("/sessions", params=query).json()
        found += [each["name"] for each in page["data"]]
        before = page["next_before"]
        if before is None:
            break
    assert found == [str(number) for number in range(6, -1, -1)]


def test_search_finds_parts_of_names(key: Key) -> None:
    alice = key(user="alice")
    for name in ("Café in Paris", "café au lait", "tea", "default"):
        alice.open_session(name=name)
    assert names(alice, q="CAFE\u0301") == ["café au lait", "Café in Paris"]
    assert names(alice, q="  in   paris") == ["Café in Paris"]
    assert names(alice, q="default") == ["default"]
    assert names(alice, q="%") == names(alice, q="ses_") == []


def test_list_follows_renames_and_ends(key: Key, redis: Any) -> None:
    alice = key(user="alice")
    lost, deleted, kept = (alice.open(name=str(number)) for number in range(3))
    assert kept.request("PATCH", kept.path, json={"name": "renamed"}).status_code == 200
    assert deleted.request("DELETE", deleted.path).status_code == 204
    own = keys.for_session(lost.id)  # no worker saw it expire
    redis.delete(own.session)
    for name in (own.due, own.by_activity):
        redis.zrem(name, lost.id)
    assert names(alice) == names(alice, q="name") == ["renamed"]
    members = redis.zrange(own.labels, "[user:", "(user;", bylex=True)
    assert [each.split()[1].decode() for each in members] == [kept.id]


@pytest.mark.parametrize(
    ("query", "param"),
    [("before=x", "before"), ("limit=0", "limit"), ("q=" + "a" * 201, "q"), ("page=1", "page")],
)
def test_invalid_query_of_the_list_is_rejected(key: Key, query: str, param: str) -> None:
    response = key(user="alice").get(f"/sessions?{query}")
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == param


@pytest.mark.security("S60")
def test_only_a_user_has_a_list(key: Key, owner: APIClient) -> None:
    assert status_and_code(owner.get("/sessions")) == UNAUTHORIZED
    assert status_and_code(APIClient(owner.url).get("/sessions")) == UNAUTHORIZED
    response = key().get("/sessions")
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == "Parley-User"


def test_erasure_leaves_nothing_of_the_user(
    key: Key,
    redis: Any,
    connect: Callable[..., WebSocketClient],
    open_stream: Callable[..., EventStreamClient],
) -> None:
    user = "auth0|alice/example.org"
    alice, other = key(user=user), key(tenant="other", user=user)
    sessions = [alice.open(name=str(number)) for number in range(3)]
    foreign = other.open()
    socket, stream = connect(sessions[0], user=user), open_stream(sessions[1], user=user)
    socket.wait_until_authenticated()
    backend = KeyClient(alice.url, alice.token)
    response = backend.request("DELETE", "/users/auth0%7Calice%2Fexample.org")
    assert (response.status_code, response.json()) == (200, {"deleted_sessions": 3})
    assert socket.close_code() == 4404
    assert stream.receive_until("session.deleted")
    assert names(alice) == []
    assert redis.keys("*ses_*") == [k for k in redis.keys("*ses_*") if foreign.id.encode() in k]
    for name in redis.keys("chat:{*}:labels"):
        assert all(foreign.id.encode() in member for member in redis.zrange(name, 0, -1))
    assert names(other) == [""]
    (entry,) = audit.newest(10)
    assert entry.actor == f"key {alice.token[3:15]}"
    assert entry.action == "Erased 3 sessions."
    assert user not in entry.target


@pytest.mark.security("S60", "S64")
def test_only_the_users_tenant_may_erase(key: Key, owner: APIClient) -> None:
    alice = key(user="alice")
    session = alice.open()
    path = "/users/alice"
    limited = key(scopes=["sessions"])
    assert status_and_code(owner.request("DELETE", path)) == UNAUTHORIZED
    assert status_and_code(limited.request("DELETE", path)) == UNAUTHORIZED
    bob = KeyClient(alice.url, alice.token, user="bob")
    assert status_and_code(bob.request("DELETE", path)) == (404, "not_found")
    erased = key(tenant="other").request("DELETE", path).json()
    assert erased == {"deleted_sessions": 0}
    assert session.get().status_code == 200
    assert audit.newest(10) == []
