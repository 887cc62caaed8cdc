"""Limits: each rejects what exceeds it, with Retry-After, and changes nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.integration.api.client import APIClient, error_code, status_and_code
from tests.integration.api.fake_worker import claim_turn, complete_turn, finish_turn


def all_at_once(call: Callable[[], requests.Response], times: int) -> list[requests.Response]:
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda _: call(), range(times)))


def state_of(owner: APIClient) -> dict[str, Any]:
    session = owner.get_session()
    return {name: session[name] for name in ("seq", "messages", "last_active_at", "expires_at")}


@pytest.mark.security("S21")
def test_concurrent_messages_respect_the_rate_limit(
    api_with: Callable[..., APIClient],
) -> None:
    owner = api_with(
        CHAT_MESSAGES_PER_MINUTE="1",
        CHAT_MESSAGES_BURST="10",
        CHAT_MAX_QUEUED_TURNS_PER_SESSION="1000",
    ).open_session()
    responses = all_at_once(lambda: owner.post("/messages", {"content": "me first"}), 60)
    assert sorted(response.status_code for response in responses) == [202] * 10 + [429] * 50
    refused = [response for response in responses if response.status_code == 429]
    assert {error_code(response) for response in refused} == {"rate_limited"}
    assert all(0 < int(response.headers["Retry-After"]) <= 60 for response in refused)
    assert len(owner.get_session()["messages"]) == 20


@pytest.mark.thorough
@pytest.mark.security("S21")
def test_concurrent_sessions_respect_the_rate_limit(
    api_with: Callable[..., APIClient],
) -> None:
    api = api_with(CHAT_SESSIONS_PER_MINUTE="1", CHAT_SESSIONS_BURST="10")
    responses = all_at_once(lambda: api.post("/sessions"), 60)
    assert sorted(response.status_code for response in responses) == [201] * 10 + [429] * 50


@pytest.mark.security("S22", "S23")
def test_spoofed_address_does_not_evade_the_rate_limit(
    api_with: Callable[..., APIClient],
) -> None:
    api = api_with(CHAT_SESSIONS_PER_MINUTE="1", CHAT_SESSIONS_BURST="3")
    spoofed = [{"X-Forwarded-For": f"9.9.9.{n}", "Forwarded": f"for=9.9.9.{n}"} for n in range(5)]
    responses = [api.request("POST", "/sessions", json={}, headers=headers) for headers in spoofed]
    assert [response.status_code for response in responses] == [201, 201, 201, 429, 429]
    assert error_code(responses[3]) == "rate_limited"


@pytest.mark.security("S53")
def test_invented_addresses_count_only_from_a_trusted_proxy(
    api_with: Callable[..., APIClient],
) -> None:
    """The web process is reached directly, though it is configured for a proxy."""
    api = api_with(
        CHAT_SESSIONS_PER_MINUTE="1",
        CHAT_SESSIONS_BURST="3",
        CHAT_TRUSTED_PROXIES="10.0.0.0/8,unix",
        HTTPS="1",
    )
    statuses = [open_from(api, f"9.9.{n}.9") for n in range(200)]
    assert statuses == [201] * 3 + [429] * 197
    headers = {"X-Forwarded-Proto": "https"}
    redirect = api.request("GET", "/admin/login/", headers=headers, allow_redirects=False)
    assert redirect.status_code == 301


@pytest.mark.security("S22", "S53")
def test_trusted_proxy_header_sets_the_address(api_with: Callable[..., APIClient]) -> None:
    """The client's own entries are further left."""
    api = api_with(
        CHAT_SESSIONS_PER_MINUTE="1",
        CHAT_SESSIONS_BURST="1",
        CHAT_TRUSTED_PROXIES="127.0.0.1",
        CHAT_NETWORK_LIMIT_FACTOR="3",
    )
    assert [open_from(api, address) for address in ("1.1.1.1", "2.2.2.2", "1.1.1.1")] == [
        *(201, 201, 429)
    ]
    assert open_from(api, "3.3.3.3, 1.1.1.1") == 429
    assert open_from(api, "1.1.1.1, 3.3.3.3") == 201
    assert open_from(api, "4.4.4.4:1001") == 201
    assert open_from(api, "4.4.4.4:1002") == 429
    assert open_from(api, "5.5.5.5:1001") == 201
    assert open_from(api, "[2001:db8:9:9::1]:1001") == 201
    assert open_from(api, "2001:db8:9:9::2%eth0") == 429
    random_64s = [open_from(api, f"2001:db8:1:{n:x}::1") for n in range(20)]
    assert random_64s == [201] * 3 + [429] * 17
    assert open_from(api, "2001:db8:2::1") == 201


def open_from(api: APIClient, forwarded_for: str) -> int:
    """Open a session with this X-Forwarded-For; return the status."""
    headers = {"X-Forwarded-For": forwarded_for}
    return api.request("POST", "/sessions", json={}, headers=headers).status_code


@pytest.mark.security("S23")
def test_full_session_queue_rejects_and_changes_nothing(api_with: Callable[..., APIClient]) -> None:
    owner = api_with(CHAT_MAX_QUEUED_TURNS_PER_SESSION="2").open_session()
    owner.post_message("one")
    owner.post_message("two")
    before = state_of(owner)
    assert status_and_code(owner.post("/messages", {"content": "three"})) == (
        429,
        "session_queue_full",
    )
    assert state_of(owner) == before
    complete_turn(owner.id, "answered")
    assert owner.post_message("three")


@pytest.mark.security("S23")
def test_full_queue_rejects_and_changes_nothing(api_with: Callable[..., APIClient]) -> None:
    api = api_with(CHAT_MAX_QUEUED_TURNS="1", CHAT_PARTITIONS="1")
    first, second = api.open_session(), api.open_session()
    first.post_message("one")
    before = state_of(second)
    assert status_and_code(second.post("/messages", {"content": "two"})) == (503, "queue_full")
    assert state_of(second) == before


INVALID_REQUESTS: list[tuple[str, str, bytes | None]] = [
    ("PATCH", "/sessions/ses_0", b"{"),
    ("POST", "/messages", b"[]"),
    ("POST", "/sessions", b"{" + b" " * 100_000),
    ("POST", "/v1/responses", b"{"),
    ("GET", "/nothing", None),
]


@pytest.mark.security("S47")
def test_invalid_requests_of_an_address_are_limited(api_with: Callable[..., APIClient]) -> None:
    """At once, one is allowed. Errors beyond it come late."""
    api = api_with(
        CHAT_ADDRESS_READS_PER_MINUTE="40",
        CHAT_SESSIONS_PER_MINUTE="1",
        CHAT_SESSIONS_BURST="1",
        CHAT_TRUSTED_PROXIES="127.0.0.1",
    )

    def check(number: int) -> None:
        method, path, body = INVALID_REQUESTS[number]
        headers = {"X-Forwarded-For": f"192.0.2.{number}", "Content-Type": "application/json"}
        answers = [
            status_and_code(api.request(method, path, data=body, headers=headers)) for _ in range(2)
        ]
        assert answers[0] != (429, "rate_limited") == answers[-1], path
        assert api.get("/live", headers=headers).status_code == 200
        other = headers | {"X-Forwarded-For": f"198.51.100.{number}"}
        assert status_and_code(api.request(method, path, data=body, headers=other)) == answers[0]

    with ThreadPoolExecutor() as threads:
        list(threads.map(check, range(len(INVALID_REQUESTS))))
    ignoring = {"X-Forwarded-For": "203.0.113.1"}  # it ignores Retry-After
    assert [open_from(api, "203.0.113.1") for _ in range(2)] == [201, 429]
    assert status_and_code(api.get("/models", headers=ignoring)) == (429, "rate_limited")


@pytest.mark.security("S46")
def test_turns_of_an_address_are_limited(api_with: Callable[..., APIClient]) -> None:
    api = api_with(CHAT_MAX_TURNS_PER_OWNER="2", CHAT_PARTITIONS="1")
    first, second = api.open_session(), api.open_session()
    first.post_message("one")
    second.post_message("two")
    before = state_of(second)
    response = second.post("/messages", {"content": "three"})
    assert status_and_code(response) == (429, "owner_queue_full")
    assert int(response.headers["Retry-After"]) > 0
    assert state_of(second) == before


@pytest.mark.security("S23", "S46")
def test_party_cannot_fill_the_queue_for_others(api_with: Callable[..., APIClient]) -> None:
    """With the default number of partitions, over which the sessions of an address are spread."""
    api = api_with(
        CHAT_MAX_QUEUED_TURNS="200",
        CHAT_TRUSTED_PROXIES="127.0.0.1",
    )
    flooding = [session_from(api, "203.0.113.1") for _ in range(4)]
    others = [session_from(api, f"203.0.113.{n}") for n in range(2, 12)]
    responses = [
        session.post("/messages", {"content": str(n)}) for n in range(15) for session in flooding
    ]
    assert [response.status_code for response in responses] == [202] * 50 + [429] * 10
    assert {error_code(response) for response in responses[50:]} == {"owner_queue_full"}
    before = state_of(flooding[0])
    assert flooding[0].post("/messages", {"content": "more"}).status_code == 429
    assert state_of(flooding[0]) == before
    for session in others:
        session.post_message("hello")


def session_from(api: APIClient, address: str) -> APIClient:
    """Open a session from this address."""
    headers = {"X-Forwarded-For": address}
    opened = api.request("POST", "/sessions", json={}, headers=headers).json()
    return APIClient(api.url, id=opened["id"], token=opened["token"])


@pytest.mark.thorough
@pytest.mark.security("S23")
def test_full_session_rejects_and_changes_nothing(api_with: Callable[..., APIClient]) -> None:
    owner = api_with(CHAT_MAX_SESSION_BYTES="650").open_session()
    owner.post_message("12345678")
    before = state_of(owner)
    assert status_and_code(owner.post("/messages", {"content": "12345678"})) == (
        429,
        "session_full",
    )
    assert state_of(owner) == before


@pytest.mark.parametrize(
    ("on_busy", "expected"), [("enqueue", 202), ("reject", 409), ("interrupt", 202)]
)
def test_on_busy_decides_about_a_busy_session(
    owner: APIClient, on_busy: str, expected: int
) -> None:
    owner.post_message("first")
    claim = claim_turn(owner.id)
    response = owner.post("/messages", {"content": "second", "on_busy": on_busy})
    assert response.status_code == expected
    finish_turn(claim, "done")
