"""API keys: what they give access to, and that a revoked one stops working everywhere."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from chat.accounts import api_keys
from chat.domain import Scope
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import complete_turn
from tests.integration.api.test_auth import SESSION_REQUESTS, UNKNOWN_ID, send_request
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient

Connect = Callable[..., WebSocketClient]
OpenStream = Callable[..., EventStreamClient]
# Seconds within which a revoked key stops working, open streams included.
REVOCATION_TIME = 5.0
NOT_FOUND = (404, "session_not_found")
UNAUTHORIZED = (401, "invalid_token")
BOTH = (Scope.SESSIONS, Scope.USERS)


class KeyClient(APIClient):
    """A client with an API key, for one user or for its tenant."""

    def __init__(self, url: str, key: str, *, user: str = "", session_id: str = "") -> None:
        super().__init__(url, id=session_id, token=key)
        self.user = user

    def request(self, method: str, path: str, **arguments: object):  # type: ignore[no-untyped-def]
        headers = {"Parley-User": self.user} if self.user else {}
        arguments["headers"] = headers | arguments.get("headers", {})  # type: ignore[operator]
        return super().request(method, path, **arguments)

    def open(self, **fields: object) -> "KeyClient":
        """Open a session; return a client of it that uses the key."""
        return KeyClient(
            self.url, self.token, user=self.user, session_id=self.open_session(**fields).id
        )

    def using(self, session: APIClient) -> "KeyClient":
        """Return a client that uses this key for another client's session."""
        return KeyClient(self.url, self.token, user=self.user, session_id=session.id)


@pytest.fixture
def key(parley: Stack) -> Callable[..., KeyClient]:
    """Return a function that creates an API key and returns its client."""

    def create(
        *, tenant: str = "acme", scopes: Sequence[Scope] = BOTH, user: str = "", web: int = 0
    ) -> KeyClient:
        text, _ = api_keys.create(name="test", tenant=tenant, scopes=scopes)
        return KeyClient(parley.web(web).url, text, user=user)

    return create


Key = Callable[..., KeyClient]


def get_status(client: APIClient) -> tuple[int, str]:
    response = client.get()
    return (200, "") if response.status_code == 200 else status_and_code(response)


def is_refused(client: APIClient) -> bool:
    return get_status(client) == UNAUTHORIZED


def test_key_opens_a_session_whose_token_the_page_can_use(key: Key, parley: Stack) -> None:
    """The host's backend opens the session for its user, and gives the token to the page."""
    backend = key(user="alice@example.org")
    page = backend.open_session(name="support")
    page.post_message("from the page")
    assert get_status(backend.using(page)) == (200, "")
    on_other_web = KeyClient(
        parley.web(1).url, backend.token, user=backend.user, session_id=page.id
    )
    assert on_other_web.get_session()["name"] == "support"


@pytest.mark.parametrize(("method", "path"), SESSION_REQUESTS)
def test_key_gives_access_to_every_call(key: Key, method: str, path: str) -> None:
    own = key().open()
    posted = own.post("/messages", {"content": "hello", "session": own.id})
    assert posted.status_code == 202
    complete_turn(own.id, "a reply")
    path = path.format(id=own.id)
    body = {"content": "hello"} if path.endswith("/messages") else {}
    body = {"rating": "up"} if path.endswith("/feedback") else body
    sent = None if method in {"GET", "DELETE"} else body
    with own.request(method, f"/sessions/{path}", json=sent, stream=True) as response:
        assert response.status_code in {200, 201, 202, 204}, response.text


@pytest.mark.security("S60")
@pytest.mark.parametrize(("method", "path"), SESSION_REQUESTS)
def test_sessions_of_other_tenants_and_users_do_not_exist(
    key: Key, owner: APIClient, method: str, path: str
) -> None:
    """They and unknown sessions give the same response to a key, also those without a tenant."""
    acme, other = key(), key(tenant="other")
    alice, bob = (KeyClient(acme.url, acme.token, user=name) for name in ("alice", "bob"))
    foreign = (other.open(), bob.open(), owner, key(tenant="").open(), acme.open())
    for session_id in (UNKNOWN_ID, "ses_x", *(each.id for each in foreign)):
        assert send_request(alice, method, path, session_id) == NOT_FOUND
    same_name = KeyClient(other.url, other.token, user="alice")
    assert send_request(same_name, method, path, alice.open().id) == NOT_FOUND
    assert send_request(acme, method, path, owner.id) == NOT_FOUND


@pytest.mark.security("S60")
def test_key_without_a_scope_may_not_use_it(key: Key) -> None:
    tenant_only, users_only = key(scopes=[Scope.SESSIONS]), key(scopes=[Scope.USERS])
    session = tenant_only.open()
    for user in ("alice", ""):
        headers = {"Parley-User": user}
        assert status_and_code(session.get(headers=headers)) == UNAUTHORIZED
        assert status_and_code(session.post("/sessions", {}, **headers)) == UNAUTHORIZED
    assert status_and_code(users_only.using(session).get()) == UNAUTHORIZED
    assert get_status(KeyClient(users_only.url, users_only.token, user="alice").open()) == (200, "")


@pytest.mark.security("S60")
def test_only_a_key_acts_for_a_user(owner: APIClient) -> None:
    headers = {"Parley-User": "alice"}
    assert status_and_code(owner.get(headers=headers)) == UNAUTHORIZED
    assert status_and_code(APIClient(owner.url).post("/sessions", {}, **headers)) == UNAUTHORIZED


@pytest.mark.security("S60")
def test_invalid_keys_are_rejected(key: Key, owner: APIClient) -> None:
    valid = key().token
    _, other = api_keys.create(name="other")
    wrong_secret = valid[:-2] + ("AA" if not valid.endswith("AA") else "BB")
    foreign_secret = f"pk_{other.id}_{valid[-43:]}"
    text, expired = api_keys.create(name="short", expires_at=time.time() + 0.5)
    wait_until(lambda: not expired.is_valid(time.time()))
    invalid = ("pk_", valid + "x", f"pk_{'0' * 12}_{valid[-43:]}", wrong_secret, foreign_secret)
    for each in (*invalid, text):
        assert status_and_code(KeyClient(owner.url, each).using(owner).get()) == UNAUTHORIZED
        response = APIClient(owner.url, token=each).post("/sessions", {})
        assert status_and_code(response) == UNAUTHORIZED


@pytest.mark.security("S60")
def test_revoked_key_stops_working_everywhere(
    key: Key, parley: Stack, connect: Connect, open_stream: OpenStream
) -> None:
    """On both web processes, in requests and in streams that are open."""
    first = key(user="alice").open()
    other = KeyClient(parley.web(1).url, first.token, user="alice", session_id=first.id)
    page = other.open_session()
    sockets = [connect(each, user="alice") for each in (first, other)]
    for socket in sockets:
        socket.wait_until_authenticated()
    sse = open_stream(first, user="alice")
    ticket = other.post(f"{other.path}/ticket", {}).json()["ticket"]
    by_ticket = connect(other, query=f"?ticket={ticket}")
    by_ticket.wait_until_authenticated()
    unused = other.post(f"{other.path}/ticket", {}).json()["ticket"]
    api_keys.revoke(first.token[3:15])
    started = time.monotonic()
    assert [socket.close_code() for socket in (*sockets, by_ticket)] == [4401] * 3
    assert all(event["type"] for event in sse.receive_all())
    for client in (first, other):
        wait_until(partial(is_refused, client))
    assert time.monotonic() - started < REVOCATION_TIME
    late = connect(other, query=f"?ticket={unused}")
    assert late.close_code() == 4401
    assert get_status(page) == (200, "")


def test_key_of_a_long_poll_is_checked_while_it_waits(key: Key) -> None:
    client = key().open()
    api_keys.revoke(client.token[3:15])
    response = client.get(params={"wait": 30, "after": client.get_session()["seq"]})
    assert status_and_code(response) == UNAUTHORIZED


@pytest.mark.security("S60")
def test_stranger_cannot_spell_the_idempotency_key_of_a_tenant(key: Key) -> None:
    backend = key()
    opened = backend.post("/sessions", {}, Idempotency_Key="order-1 of today").json()
    spelled = "tenant:acme  order-1 of today"
    stranger = APIClient(backend.url).post("/sessions", {}, Idempotency_Key=spelled).json()
    assert stranger["id"] != opened["id"]


def test_idempotency_key_is_one_of_its_user(key: Key) -> None:
    acme, other = key(user="alice"), key(tenant="other", user="alice")
    first, repeated, foreign = (
        each.post("/sessions", {}, Idempotency_Key="the-same-idempotency-key").json()
        for each in (acme, acme, other)
    )
    assert first["token"] == repeated["token"] != foreign["token"]
    assert first["id"] != foreign["id"]


def test_message_with_a_key_names_its_session(key: Key) -> None:
    response = key().post("/messages", {"content": "hello"})
    assert status_and_code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == "session"
