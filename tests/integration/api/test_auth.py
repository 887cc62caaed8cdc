"""Authentication: only the token gives access to a session, or reveals that it exists."""

import secrets
import time

import pytest
from redis import Redis

from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import complete_turn

SESSION_REQUESTS = [
    ("GET", "{id}"),
    ("PATCH", "{id}"),
    ("DELETE", "{id}"),
    ("POST", "{id}/reset"),
    ("POST", "{id}/token"),
    ("POST", "{id}/ticket"),
    ("GET", "{id}/events"),
    ("POST", "{id}/messages"),
    ("GET", "{id}/messages"),
    ("GET", "{id}/messages/msg_1"),
    ("POST", "{id}/messages/msg_2/cancel"),
    ("POST", "{id}/messages/msg_2/feedback"),
    ("DELETE", "{id}/messages/msg_2/feedback"),
    ("POST", "{id}/messages/msg_2/regenerate"),
    ("GET", "{id}?wait=1"),
]
UNKNOWN_ID = "ses_" + "0" * 24


def send_request(
    api: APIClient, method: str, path: str, session_id: str, **headers: str
) -> tuple[int, str]:
    body = {"content": "hello"} if path.endswith("/messages") and method == "POST" else {}
    if path.endswith("/feedback"):
        body = {"rating": "up"}
    sent = None if method in {"GET", "DELETE"} else body
    response = api.request(
        method, f"/sessions/{path.format(id=session_id)}", json=sent, headers=headers
    )
    return status_and_code(response)


@pytest.mark.security("S01")
@pytest.mark.parametrize(("method", "path"), SESSION_REQUESTS)
def test_foreign_session_returns_same_404_as_unknown_one(
    api: APIClient, method: str, path: str
) -> None:
    """A token of one session does not work for another one."""
    own, other = api.open_session(), api.open_session()
    other.post_message("mine alone")
    forged = f"Bearer {other.id}.{secrets.token_urlsafe(32)}"
    unknown = f"Bearer {UNKNOWN_ID}.{secrets.token_urlsafe(32)}"
    expected = (404, "session_not_found")
    assert send_request(own, method, path, other.id) == expected
    assert send_request(own, method, path, UNKNOWN_ID) == expected
    assert send_request(api, method, path, other.id, Authorization=forged) == expected
    assert send_request(api, method, path, UNKNOWN_ID, Authorization=unknown) == expected


@pytest.mark.security("S01")
def test_forged_token_takes_as_long_as_unknown_session(api: APIClient) -> None:
    other = api.open_session()

    def seconds(session_id: str) -> float:
        forged = {"Authorization": f"Bearer {session_id}.{secrets.token_urlsafe(32)}"}
        started = time.perf_counter()
        api.get(f"/sessions/{session_id}", headers=forged)
        return time.perf_counter() - started

    def is_alike() -> bool:
        pairs = [(seconds(other.id), seconds(UNKNOWN_ID)) for _ in range(50)]
        # The fastest of each, without delays by other processes.
        known, unknown = (min(times) for times in zip(*pairs, strict=True))
        return bool(abs(known - unknown) < 0.5 * min(known, unknown))

    # A busy machine makes some rounds differ; a leak would make all differ.
    assert any(is_alike() for _ in range(10))


@pytest.mark.security("S02")
@pytest.mark.parametrize(("method", "path"), SESSION_REQUESTS)
def test_session_requests_require_a_token(api: APIClient, method: str, path: str) -> None:
    assert send_request(api, method, path, api.open_session().id) == (401, "invalid_token")


@pytest.mark.security("S02")
def test_posting_a_message_requires_a_token(api: APIClient) -> None:
    assert status_and_code(api.post("/messages", {"content": "hello"})) == (401, "invalid_token")


@pytest.mark.security("S02")
def test_token_secrets_have_256_bits_and_are_unique(api: APIClient) -> None:
    tokens = [api.open_session().token.partition(".")[2] for _ in range(20)]
    assert len(set(tokens)) == 20
    assert all(len(token) == 43 for token in tokens)


@pytest.mark.security("S02", "S03")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        "Bearer {id}",
        "Bearer {id}.",
        "Bearer {id}.{secret}x",
        "Bearer {id}.ünïcödë",
        "Bearer {id}.{secret} {secret}",
        "{id}.{secret}",
    ],
)
def test_malformed_token_is_rejected(owner: APIClient, header: str) -> None:
    """A token with non-ASCII bytes returns 401, not 500."""
    _, _, secret = owner.token.partition(".")
    header = header.format(id=owner.id, secret=secret)
    response = owner.get(headers={"Authorization": header.encode()})
    assert status_and_code(response) == (401, "invalid_token")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_bearer_scheme_ignores_case(owner: APIClient) -> None:
    assert owner.get(headers={"Authorization": f"bearer {owner.token}"}).status_code == 200


@pytest.mark.security("S03")
def test_tokens_are_not_in_redis_or_logs(parley: Stack, owner: APIClient, redis: Redis) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "hello yourself")
    new = APIClient(owner.url, id=owner.id, token=owner.post(f"{owner.path}/token").json()["token"])
    new.get_session()
    dumped = [redis.dump(key) or b"" for key in redis.scan_iter()]
    for token in (owner.token, new.token):
        secret = token.partition(".")[2].encode()
        assert not any(secret in value for value in dumped)
        assert secret.decode() not in parley.web().log


@pytest.mark.security("S05")
def test_token_rotation_invalidates_old_token(owner: APIClient) -> None:
    response = owner.post(f"{owner.path}/token")
    assert response.status_code == 200
    assert set(response.json()) == {"id", "token", "expires_at"}
    renewed = APIClient(owner.url, id=owner.id, token=response.json()["token"])
    assert renewed.get_session()["id"] == owner.id
    assert status_and_code(owner.get()) == (404, "session_not_found")


@pytest.mark.security("S05")
def test_expired_session_returns_401_until_it_is_swept(api: APIClient) -> None:
    """No worker runs here, so the session is not swept."""
    owner = api.open_session(ttl=1)
    wait_until(lambda: owner.get().status_code != 200, within=5)
    assert status_and_code(owner.get()) == (401, "session_expired")
    assert status_and_code(owner.post("/messages", {"content": "late"})) == (401, "session_expired")
