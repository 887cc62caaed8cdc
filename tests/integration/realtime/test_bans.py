"""Bans of addresses, API keys and users: everywhere within seconds, open streams included."""

import http.client
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import StringIO
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import CommandError, call_command
from redis import Redis

from chat.accounts import bans, subjects
from chat.domain.bans import Subject
from chat.store import audit
from tests.harness.redis_cluster import needs_one_server
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient
from tests.integration.realtime.test_api_keys import KeyClient, get_status
from tests.integration.realtime.test_api_keys import key as key  # noqa: PLC0414  # a fixture

Connect = Callable[..., WebSocketClient]
OpenStream = Callable[..., EventStreamClient]
Key = Callable[..., KeyClient]
BANNED = (403, "banned")
# Seconds within which a ban takes effect, open streams included.
BAN_TIME = 5.0
# Of all clients here except one.
OWN_ADDRESS = "127.0.0.1"
OTHER_ADDRESS = "127.0.0.2"


@contextmanager
def ban(subject: Subject, *clients: APIClient) -> Iterator[None]:
    """Ban the subject until the context ends. Return when the clients get 403, and 200 afterwards.

    The web processes are shared with other tests.
    """
    bans.add(subject, by="test", reason="a secret reason")
    try:
        for client in clients:
            wait_until(partial(has_status, client, BANNED))
        yield
    finally:
        bans.remove(subject, by="test")
        for client in clients:
            wait_until(partial(has_status, client, (200, "")))


def has_status(client: APIClient, expected: tuple[int, str]) -> bool:
    return get_status(client) == expected


def get_from(address: str, client: APIClient) -> int:
    """Return the status of a request from another address of this machine."""
    url = urlsplit(client.url)
    connection = http.client.HTTPConnection(url.netloc, source_address=(address, 0), timeout=20)
    connection.request("GET", client.path, headers={"Authorization": f"Bearer {client.token}"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.security("S62")
def test_banned_address_is_refused_everywhere(
    owner: APIClient, parley: Stack, connect: Connect, open_stream: OpenStream
) -> None:
    other_web = APIClient(parley.web(1).url, id=owner.id, token=owner.token)
    sockets = [connect(each) for each in (owner, other_web)]
    for socket in sockets:
        socket.wait_until_authenticated()
    stream = open_stream(owner)
    seq = owner.get_session()["seq"]
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(owner.get, params={"wait": 30, "after": seq})
        tutorial = connect(owner, path="/chat", query=f"?token={owner.token}")
        started = time.monotonic()
        with ban(subjects.from_address(OWN_ADDRESS), owner, other_web):
            assert [each.close_code() for each in (*sockets, tutorial)] == [4403] * 3
            assert all(event["type"] for event in stream.receive_all())
            assert status_and_code(poll.result()) == BANNED
            assert time.monotonic() - started < BAN_TIME
            for method, path in (
                ("POST", "/sessions"),
                ("POST", f"/messages?session={owner.id}"),
                ("GET", f"{owner.path}/events"),
                ("DELETE", owner.path),
                ("POST", "/token?name=tutorial"),
                ("GET", f"/refresh_token?token={owner.token}"),
                ("POST", "/v1/chat/completions"),
                ("GET", "/v1/models"),
                ("GET", "/models"),
                ("GET", "/nonexistent"),
            ):
                response = owner.request(method, path)
                assert status_and_code(response) == BANNED, path
                assert "secret" not in response.text
            assert connect(owner, auth=False).close_code() == 4403
            assert connect(owner, path="/chat", query=f"?token={owner.token}").close_code() == 4403
            assert [owner.get(path).status_code for path in ("/live", "/ready")] == [200, 200]
            assert requests.get(f"{owner.url}/admin/login/", timeout=20).status_code == 200
            assert get_from(OTHER_ADDRESS, owner) == 200


@pytest.mark.security("S62")
def test_banned_key_and_the_sessions_it_has_opened_are_refused(
    key: Key, owner: APIClient, connect: Connect
) -> None:
    """Its own requests, and the tokens that it has given to browsers; other keys are not."""
    banned, other = key(), key()
    page, colleague = banned.open_session(), other.open()
    ticket = page.post(f"{page.path}/ticket", {}).json()["ticket"]
    sockets = [connect(page), connect(banned.open())]
    for socket in sockets:
        socket.wait_until_authenticated()
    with ban(subjects.from_key(banned.token[3:15]), banned.using(page), page):
        assert [socket.close_code() for socket in sockets] == [4403] * 2
        assert status_and_code(banned.post("/sessions", {})) == BANNED
        assert connect(page, query=f"?ticket={ticket}").close_code() == 4403
        assert get_status(other.using(page)) == get_status(colleague) == (200, "")
        assert get_status(owner) == (200, "")
        wrong = APIClient(page.url, id=page.id, token=page.token[:-2] + "AA")
        assert get_status(wrong) == (404, "session_not_found")


@pytest.mark.security("S62")
def test_banned_user_is_refused_and_namesakes_are_not(key: Key, connect: Connect) -> None:
    backend = key()
    alice, bob = (KeyClient(backend.url, backend.token, user=name) for name in ("alice", "bob"))
    page, namesake = alice.open_session(), key(tenant="other", user="alice").open()
    socket = connect(alice.using(page), user="alice")
    socket.wait_until_authenticated()
    with ban(subjects.from_user("alice", tenant="acme"), alice.using(page), page):
        assert socket.close_code() == 4403
        assert status_and_code(alice.get("/sessions")) == BANNED
        assert get_status(bob.open()) == get_status(namesake) == get_status(backend.open())
        assert get_status(namesake) == (200, "")


@pytest.mark.security("S62")
def test_ban_ends_by_itself(owner: APIClient) -> None:
    bans.add(subjects.from_address(OWN_ADDRESS), by="test", seconds=3)
    wait_until(partial(has_status, owner, BANNED))
    assert "UTC" in owner.get().json()["detail"]
    wait_until(partial(has_status, owner, (200, "")))


@needs_one_server
def test_requests_take_no_round_trip_for_bans(key: Key, owner: APIClient, redis: Redis) -> None:
    """Except the first one with a session's token while a key or user is banned."""

    def count_commands() -> int:
        owner.get_session()
        before: int = redis.info("stats")["total_commands_processed"]
        for _ in range(100):
            owner.get_session()
        after: int = redis.info("stats")["total_commands_processed"]
        return after - before

    without = count_commands()
    banned = key().open()
    with ban(subjects.from_key(banned.token[3:15]), banned):
        # The copies are refreshed once a second.
        assert count_commands() < without + 50


def run_command(name: str, *args: str) -> str:
    out = StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


def test_commands_ban_list_and_unban(key: Key) -> None:
    """Each change is in the audit log, with who made it."""
    key_id = key().token[3:15]
    assert run_command("ban", "203.0.113.9/24", "--for", "2h", "--reason", "spam") == (
        "Banned 203.0.113.0/24.\n"
    )
    run_command("ban", "--key", key_id)
    run_command("ban", "--user", "alice", "--key", key_id)
    labels = ["user alice of tenant acme", f"API key {key_id} (test)", "203.0.113.0/24"]
    lines = [line.split("\t") for line in run_command("bans").splitlines()]
    assert [line[0] for line in lines] == labels
    assert lines[2][1].startswith("until 2")
    assert [line[3] for line in lines] == ["", "", "spam"]
    run_command("unban", "203.0.113.0/24")
    run_command("unban", "--user", "alice", "--tenant", "acme")
    run_command("unban", "--key", key_id)
    assert run_command("bans") == ""
    entries = [(entry.action, entry.target) for entry in audit.newest(10)]
    assert entries[-1] == ("Banned for 7200 s: spam.", "203.0.113.0/24")
    assert ("Ended the ban.", labels[0]) in entries
    assert all(entry.actor.startswith("command ") for entry in audit.newest(10))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "Name an address"),
        (("203.0.113.9", "--key", "0"), "Name an address"),
        (("--tenant", "acme"), "Name an address"),
        (("--user", "alice"), "Name the user's tenant"),
        (("--key", "000000000000"), "no API key"),
        (("0.0.0.0/0",), "too large"),
        (("203.0.113.9", "--for", "2 hours"), "is not a time"),
        (("203.0.113.9", "--reason", "x" * 201), "at most 200"),
    ],
)
def test_command_explains_wrong_arguments(args: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run_command("ban", *args)
    assert run_command("bans") == ""
