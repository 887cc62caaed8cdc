"""Idempotency: a repeated request with the same key returns the first response."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import complete_turn

KEY = "0123456789abcdef"


@pytest.mark.security("S16")
def test_repeated_key_accepts_a_message_once(owner: APIClient) -> None:
    body = {"content": "hello", "options": {"temperature": 0.5}}
    first = owner.post("/messages", body, Idempotency_Key=KEY)
    complete_turn(owner.id, "hello yourself")
    again = owner.post("/messages", body, Idempotency_Key=KEY)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Location"] == first.headers["Location"]
    assert len(owner.get_session()["messages"]) == 2


@pytest.mark.security("S16")
def test_concurrent_posts_with_one_key_create_one_message(owner: APIClient) -> None:
    with ThreadPoolExecutor(20) as threads:
        posts = [
            threads.submit(owner.post, "/messages", {"content": "hello"}, Idempotency_Key=KEY)
            for _ in range(20)
        ]
    assert {post.result().json()["reply"]["id"] for post in posts} == {"msg_2"}
    assert len(owner.get_session()["messages"]) == 2


@pytest.mark.security("S16")
@pytest.mark.parametrize("other", [{"content": "hi"}, {"content": "hello", "on_busy": "reject"}])
def test_key_of_another_message_is_rejected(owner: APIClient, other: dict[str, str]) -> None:
    owner.post("/messages", {"content": "hello"}, Idempotency_Key=KEY)
    response = owner.post("/messages", other, Idempotency_Key=KEY)
    assert status_and_code(response) == (409, "idempotency_mismatch")


@pytest.mark.security("S16")
def test_key_of_another_operation_is_rejected(owner: APIClient) -> None:
    owner.post("/messages", {"content": "precious"}, Idempotency_Key=KEY)
    response = owner.post(f"{owner.path}/reset", {}, Idempotency_Key=KEY)
    assert status_and_code(response) == (409, "idempotency_mismatch")
    assert len(owner.get_session()["messages"]) == 2


def test_repeated_key_after_a_reset_returns_cancelled_reply(owner: APIClient) -> None:
    body = {"content": "hello"}
    first = owner.post("/messages", body, Idempotency_Key=KEY).json()
    owner.post(f"{owner.path}/reset", {})
    again = owner.post("/messages", body, Idempotency_Key=KEY)
    assert again.status_code == 202
    assert again.json()["message"] is None
    assert again.json()["reply"]["id"] == first["reply"]["id"]
    assert again.json()["reply"]["status"] == "cancelled"


@pytest.mark.security("S16")
@pytest.mark.parametrize("path", ["/messages", "{path}/reset", "{path}/token"])
@pytest.mark.parametrize("key", ["", "x" * 256, "with\ttab in it", "ünïcödë-key"])
def test_invalid_key_is_rejected(owner: APIClient, path: str, key: str) -> None:
    path = path.format(path=owner.path)
    body = {"content": "hello"} if path == "/messages" else {}
    response = owner.request("POST", path, json=body, headers={"Idempotency-Key": key.encode()})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == "Idempotency-Key"


@pytest.mark.security("S16")
def test_repeated_key_creates_a_session_once(api: APIClient) -> None:
    """The key gives access to the token again, so it must not be guessable."""
    first = api.post("/sessions", {"name": "one"}, Idempotency_Key=KEY)
    again = api.post("/sessions", {"name": "one"}, Idempotency_Key=KEY)
    assert (again.status_code, again.json()["token"]) == (201, first.json()["token"])
    other = api.post("/sessions", {"name": "two"}, Idempotency_Key=KEY)
    assert status_and_code(other) == (409, "idempotency_mismatch")
    guessable = api.post("/sessions", {}, Idempotency_Key="order-42")
    assert status_and_code(guessable) == (400, "invalid_request")


@pytest.mark.security("S16")
def test_repeated_key_rotates_a_token_once(owner: APIClient) -> None:
    """A client that lost the response repeats the request with the old token."""
    first = owner.post(f"{owner.path}/token", Idempotency_Key=KEY)
    again = owner.post(f"{owner.path}/token", Idempotency_Key=KEY)
    assert again.json() == first.json()


@pytest.mark.security("S16")
def test_repeated_key_creates_a_tutorial_session_once(api: APIClient) -> None:
    first, again = (api.post("/token?name=Ada", Idempotency_Key=KEY) for _ in range(2))
    assert (again.status_code, again.json()) == (200, first.json())
    other = api.post("/token?name=Grace", Idempotency_Key=KEY)
    assert status_and_code(other) == (409, "idempotency_mismatch")


@pytest.mark.security("S16")
def test_repeated_key_resets_a_session_once(owner: APIClient) -> None:
    owner.post_message("hello")
    assert owner.post(f"{owner.path}/reset", Idempotency_Key=KEY).json()["messages"] == []
    owner.post_message("after it")
    again = owner.post(f"{owner.path}/reset", Idempotency_Key=KEY)
    assert again.status_code == 200
    assert [message["content"] for message in again.json()["messages"]] == ["after it", ""]


@pytest.mark.security("S16")
def test_repeated_key_regenerates_a_reply_once(owner: APIClient) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "hello")
    path = f"{owner.path}/messages/msg_2/regenerate"
    first = owner.post(path, Idempotency_Key=KEY)
    again = owner.post(path, Idempotency_Key=KEY)
    assert (again.status_code, again.json()) == (202, first.json())
    assert len(owner.get_session()["messages"]) == 3
