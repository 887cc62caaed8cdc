"""Limits of users and tenants, whichever addresses and sessions they use."""

from collections.abc import Callable, Iterator

import pytest
import requests

from chat.accounts import api_keys
from chat.domain import Scope
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, error_code

LIMITS = {
    "CHAT_MAX_SESSIONS_PER_USER": "2",
    "CHAT_MAX_SESSIONS_PER_TENANT": "3",
    "CHAT_MAX_SESSIONS_PER_ADDRESS": "1",
    "CHAT_USER_SESSIONS_PER_MINUTE": "8",
    "CHAT_USER_MESSAGES_PER_MINUTE": "40",
    "CHAT_USER_READS_PER_MINUTE": "60",
}


@pytest.fixture(scope="module")
def url(parley: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web process with low limits."""
    env = {**parley.redis_env, **LIMITS}
    with Stack(tmp_path_factory.mktemp("users"), env=env) as stack:
        yield stack.web().start().url


@pytest.fixture
def send(url: str) -> Callable[..., requests.Response]:
    """Return a function that sends a request for a user of one tenant."""
    text, _ = api_keys.create(name="test", tenant="acme", scopes=list(Scope))

    def send_request(method: str, path: str, user: str, **body: object) -> requests.Response:
        headers = {"Parley-User": user}
        json = body if method == "POST" else None
        return APIClient(url, token=text).request(method, path, json=json, headers=headers)

    return send_request


Send = Callable[..., requests.Response]


def test_sessions_of_a_user_and_of_a_tenant_are_limited(send: Send) -> None:
    """The address of the backend that opens them does not count."""
    opened = [send("POST", "/sessions", "alice") for _ in range(2)]
    assert [each.status_code for each in opened] == [201, 201]
    assert error_code(send("POST", "/sessions", "alice")) == "quota_exceeded"
    assert send("POST", "/sessions", "bob").status_code == 201
    assert error_code(send("POST", "/sessions", "carol")) == "quota_exceeded"
    path = f"/sessions/{opened[0].json()['id']}"
    assert send("DELETE", path, "alice").status_code == 204
    assert send("POST", "/sessions", "carol").status_code == 201


@pytest.mark.security("S64")
def test_rates_of_a_user_are_limited(send: Send) -> None:
    session_id = send("POST", "/sessions", "dora").json()["id"]
    posted = [
        send("POST", "/messages", "dora", session=session_id, content="hello") for _ in range(3)
    ]
    assert [each.status_code for each in posted] == [202, 202, 429]
    assert error_code(posted[-1]) == "rate_limited"
    listed = [send("GET", "/sessions", "dora").status_code for _ in range(4)]
    assert listed == [200, 200, 200, 429]
    assert send("GET", "/sessions", "emil").status_code == 200
    erased = [send("DELETE", "/users/fay", "fay").status_code for _ in range(4)]
    assert erased == [200, 200, 200, 429]
    for _ in range(3):
        send("POST", "/sessions", "dora")
    assert error_code(send("POST", "/sessions", "dora")) in {"rate_limited", "quota_exceeded"}
