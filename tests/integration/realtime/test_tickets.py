"""Tickets: they replace a token in a URL, once and for a short time."""

from collections.abc import Callable

import pytest
from redis import Redis

from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient

Connect = Callable[..., WebSocketClient]
OpenStream = Callable[..., EventStreamClient]


def issue(owner: APIClient, **headers: str) -> str:
    response = owner.post(f"{owner.path}/ticket", {}, **headers)
    assert response.status_code == 201
    ticket: str = response.json()["ticket"]
    return ticket


def status(owner: APIClient, ticket: str) -> int:
    """Return the status of an event stream that is opened with the ticket."""
    anonymous = APIClient(owner.url)
    with anonymous.get(f"{owner.path}/events", params={"ticket": ticket}, stream=True) as response:
        return response.status_code


@pytest.mark.security("S04")
def test_ticket_opens_one_websocket_once(owner: APIClient, connect: Connect) -> None:
    ticket = issue(owner)
    connect(owner, query=f"?ticket={ticket}").wait_until_authenticated()
    assert connect(owner, query=f"?ticket={ticket}").close_code() == 4401
    assert status(owner, ticket) == 401


@pytest.mark.security("S04")
def test_ticket_opens_one_event_stream_once(
    owner: APIClient, connect: Connect, open_stream: OpenStream
) -> None:
    ticket = issue(owner)
    sse = open_stream(owner, ticket=ticket)
    owner.post_message("hello")
    assert sse.receive()["type"] == "message.queued"
    assert status(owner, ticket) == 401
    assert connect(owner, query=f"?ticket={ticket}").close_code() == 4401


def test_ticket_response_contains_its_ttl(owner: APIClient) -> None:
    response = owner.post(f"{owner.path}/ticket", {}).json()
    assert response.keys() == {"ticket", "expires_in"}
    assert response["expires_in"] == 30
    assert owner.id not in response["ticket"]


@pytest.mark.security("S04")
def test_expired_ticket_is_rejected(limited: APIClient, redis: Redis) -> None:
    early = issue(limited)
    until = now(redis) + 2.1
    wait_until(lambda: now(redis) > until)
    late = issue(limited)
    assert status(limited, early) == 401
    assert status(limited, late) == 200


def now(redis: Redis) -> float:
    """Return the time of Redis in seconds."""
    seconds, microseconds = redis.time()
    return float(seconds + microseconds / 1_000_000)


@pytest.mark.security("S04")
def test_ticket_opens_no_other_session(owner: APIClient, connect: Connect) -> None:
    other = APIClient(owner.url).open_session()
    ticket = issue(owner)
    assert connect(other, query=f"?ticket={ticket}").close_code() == 4401
    assert status(other, ticket) == 401
    assert status(APIClient(owner.url, id="ses_" + "0" * 24), ticket) == 401
    assert status(APIClient(owner.url, id="{0}"), ticket) == 401
    assert status(owner, ticket) == 200


def test_token_rotation_invalidates_tickets(owner: APIClient) -> None:
    ticket = issue(owner)
    owner.post(f"{owner.path}/token", {})
    assert status(owner, ticket) == 401


def test_deleted_session_invalidates_tickets(owner: APIClient, redis: Redis) -> None:
    ticket = issue(owner)
    owner.request("DELETE", owner.path)
    assert status(owner, ticket) == 401
    assert [key for key in redis.scan_iter() if owner.id.encode() in key] == []


def test_oldest_ticket_beyond_the_limit_is_removed(owner: APIClient) -> None:
    tickets = [issue(owner) for _ in range(21)]
    assert status(owner, tickets[0]) == 401
    assert status(owner, tickets[1]) == 200


def test_repeated_key_returns_the_same_ticket(owner: APIClient) -> None:
    first, again = (issue(owner, Idempotency_Key="once-and-again") for _ in range(2))
    assert first == again
    assert issue(owner, Idempotency_Key="another-key") != first
    assert status(owner, first) == 200
    assert issue(owner, Idempotency_Key="once-and-again") == first
    assert status(owner, first) == 401


@pytest.mark.security("S04")
@pytest.mark.parametrize("ticket", ["", "tkt_", "x" * 5000, "tkt_\N{GREEK SMALL LETTER ALPHA}"])
def test_malformed_ticket_is_rejected(owner: APIClient, ticket: str) -> None:
    assert status(owner, ticket) == 401


@pytest.mark.security("S03", "S04")
def test_tickets_are_not_in_redis_or_logs(
    owner: APIClient, connect: Connect, redis: Redis, parley: Stack
) -> None:
    used, unused = issue(owner), issue(owner)
    connect(owner, query=f"?ticket={used}").wait_until_authenticated()
    connect(owner, query=f"?token={owner.token}").wait_until_authenticated()
    stored = b"".join(
        b"".join(redis.hgetall(key).values())  # type: ignore[arg-type]
        for key in redis.scan_iter(_type="hash")
    )
    for secret in (used, unused, owner.token.partition(".")[2]):
        assert secret.encode() not in stored
        assert secret not in parley.web().log
