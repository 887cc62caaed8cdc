"""The WebSocket: authentication, events and commands."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed

from chat.domain import Retry, Status, WaitReason
from chat.store import keys, leases
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.api.fake_worker import append_text, claim_turn, complete_turn, finish_turn
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient, handshake_status

Sockets = Callable[..., WebSocketClient]
Streams = Callable[..., EventStreamClient]
UNKNOWN_ID = "ses_" + "0" * 24
SECRET = "A" * 43


def ticket(owner: APIClient) -> str:
    word: str = owner.post(f"{owner.path}/ticket", {}).json()["ticket"]
    return word


@pytest.mark.parametrize("way", ["frame", "ticket", "token", "frame, cursor in the URL"])
def test_frame_ticket_and_token_authenticate(owner: APIClient, socket: Sockets, way: str) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "Hi!")
    match way:
        case "frame":
            opened = socket(owner, after=1)
        case "ticket":
            opened = socket(owner, query=f"?ticket={ticket(owner)}&after=1")
        case "token":
            opened = socket(owner, query=f"?token={owner.token}&after=1")
        case _:
            opened = socket(owner, query="?after=1")
            opened.send_frame(type="auth", token=owner.token)
    assert [event["seq"] for event in opened.receive_until("message.completed")] == [2, 3, 4]


def test_missing_cursor_returns_the_whole_log(owner: APIClient, socket: Sockets) -> None:
    owner.post_message("hello")
    assert socket(owner, after=None).receive()["seq"] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?token=", 4408),
        ("?token=nonsense", 4401),
        ("?ticket=nonsense", 4401),
        (f"?ticket=tkt_{SECRET}", 4401),
        (f"?token={UNKNOWN_ID}.{SECRET}", 4404),
        ("?token={id}." + SECRET, 4404),
        ("?token={token}x", 4401),
        ("?token={token}&after=x", 4400),
        ("?token={token}&after=-1", 4400),
        ("?token={token}&after=1&after=2", 4400),
        ("?token={token}&model=default", 4400),
    ],
)
def test_invalid_url_closes_the_websocket(
    owner: APIClient, socket: Sockets, query: str, code: int, hasty: APIClient
) -> None:
    if code == 4408:
        owner = hasty
    query = query.format(id=owner.id, token=owner.token)
    assert socket(owner, query=query).close_code() == code


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"type":"ping"}', 4401),
        ('{"type":"auth","token":"nonsense"}', 4401),
        (f'{{"type":"auth","token":"{UNKNOWN_ID}.{SECRET}"}}', 4404),
        ('{"type":"auth"}', 4400),
        ('{"type":"auth","token":"x","after":"1"}', 4400),
        ('{"type":"auth","token":"x","seq":1}', 4400),
        ("{", 4400),
        ('"auth"', 4400),
        (b'{"type":"auth"}', 4400),
    ],
)
def test_invalid_first_frame_closes_the_websocket(
    owner: APIClient, socket: Sockets, frame: str | bytes, code: int
) -> None:
    opened = socket(owner, auth=False)
    opened.send(frame)
    assert opened.close_code() == code


@pytest.mark.security("S01")
def test_token_opens_no_other_session(owner: APIClient, socket: Sockets) -> None:
    """Whether the session exists or not."""
    other = APIClient(owner.url).open_session()
    for path in (f"{other.path}/ws", f"/sessions/{UNKNOWN_ID}/ws", "/sessions/*/ws"):
        assert socket(owner, path=path).close_code() == 4404
        assert socket(owner, path=path, query=f"?token={owner.token}").close_code() == 4404


def test_missing_authentication_times_out(hasty: APIClient, socket: Sockets) -> None:
    assert socket(hasty, auth=False).close_code() == 4408


@pytest.mark.security("S04")
def test_tokens_in_urls_can_be_disabled(hasty: APIClient, socket: Sockets) -> None:
    assert socket(hasty, query=f"?token={hasty.token}").close_code() == 4401
    socket(hasty).wait_until_authenticated()


def test_unknown_path_closes_with_4404(owner: APIClient, socket: Sockets) -> None:
    for path in ("/", "/sessions", f"{owner.path}/ws/", f"{owner.path}/socket"):
        assert socket(owner, path=path, auth=False).close_code() == 4404


@pytest.mark.security("S06")
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("own", 101),
        ("https://listed.example", 101),
        ("http://localhost:3000", 101),
        ("https://evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("https://listed.example.evil.example", 403),
        ("http://listed.example", 403),
        ("file://localhost", 403),
        ("*", 403),
        ("null", 403),
        (None, 403),
    ],
)
def test_only_own_and_listed_origins_may_connect(
    owner: APIClient, origin: str | None, status: int
) -> None:
    assert handshake_status(owner, origin=origin) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [("null", 101), (None, 101), ("https://friend.example", 101), ("https://evil.example", 403)],
)
def test_setting_allows_further_origins(hasty: APIClient, origin: str | None, status: int) -> None:
    assert handshake_status(hasty, origin=origin) == status


@pytest.mark.security("S23", "S25")
def test_subscribers_of_a_session_are_limited(hasty: APIClient, socket: Sockets) -> None:
    followers = [socket(hasty) for _ in range(3)]
    for follower in followers:
        follower.wait_until_authenticated()
    assert socket(hasty).close_code() == 4429
    answer = hasty.get(f"{hasty.path}/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == "5"
    followers[0].__exit__()
    wait_until(lambda: hasty.get(f"{hasty.path}", params={"wait": 0.01, "after": 0}).ok)


@pytest.mark.security("S23", "S25")
def test_concurrent_streams_respect_the_limit(hasty: APIClient, stream: Streams) -> None:
    with ThreadPoolExecutor(12) as threads:
        opened = list(threads.map(lambda _: stream(hasty), range(12)))
        statuses = [each.response.status_code for each in opened]
    assert Counter(statuses) == {200: 3, 429: 9}


def test_events_are_sent_unchanged(owner: APIClient, socket: Sockets, redis: Redis) -> None:
    opened = socket(owner)
    owner.post_message("grüße \u2028 \U0001f600")
    claim = claim_turn(owner.id)
    append_text(claim, 'He said "hi"\n')
    finish_turn(claim, "and left.", after='He said "hi"\n')
    heard = [opened.receive_text() for _ in range(5)]
    stored: Any = redis.xrange(keys.for_session(owner.id).events)
    assert heard == [entry[b"event"].decode() for _, entry in stored]


def test_events_reach_clients_of_other_web_processes(
    owner: APIClient, parley: Stack, socket: Sockets
) -> None:
    elsewhere = APIClient(parley.web(1).url, id=owner.id, token=owner.token)
    first, second = socket(owner), socket(elsewhere)
    first.request(type="message.create", content="hello")
    assert second.receive()["type"] == "message.queued"
    second.request(type="message.cancel", id="msg_2")
    assert first.receive_until("message.cancelled")


def test_all_subscribers_receive_the_same_events(owner: APIClient, socket: Sockets) -> None:
    followers = [socket(owner) for _ in range(5)]
    owner.post_message("hello")
    late = socket(owner)
    complete_turn(owner.id, "Hi!")
    heard = [follower.receive_until("message.completed") for follower in [*followers, late]]
    assert all(each == heard[0] for each in heard)
    assert [event["seq"] for event in heard[0]] == [1, 2, 3, 4]


def test_retried_turn_sends_a_restarted_event(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    append_text(claim, "Wrong")
    leases.retry(
        claim.lease,
        Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=True, model=None),
    )
    complete_turn(owner.id, "Right")
    heard = opened.receive_until("message.completed")
    kinds = [event["type"].removeprefix("message.") for event in heard]
    assert kinds == ["queued", "started", "delta", "restarted", "started", "delta", "completed"]
    assert heard[-1]["message"]["content"] == "Right"
    assert heard[-1]["message"]["attempt"] == 2


def test_session_changes_are_events(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    owner.request("PATCH", owner.path, json={"name": "Tides"})
    owner.post(f"{owner.path}/reset", {})
    assert opened.receive()["changes"] == {"name": "Tides"}
    assert opened.receive()["type"] == "session.reset"


def test_cursor_older_than_the_log_gets_gap_and_snapshot(
    owner: APIClient, socket: Sockets, redis: Redis
) -> None:
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    text = ""
    for piece in ("one ", "two ", "three "):
        append_text(claim, piece, after=text)
        text += piece
    redis.xtrim(keys.for_session(owner.id).events, minid="4-0", approximate=False)
    opened = socket(owner, after=1)
    gap, snapshot = opened.receive(), opened.receive()
    assert (gap["type"], gap["requested"], gap["earliest"], gap["latest"]) == ("gap", 1, 4, 5)
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 5)
    assert snapshot["messages"][-1]["content"] == text
    assert {**owner.get_session(), "type": "snapshot", "session_id": owner.id} == snapshot
    append_text(claim, "four", after=text)
    assert (following := opened.receive())["seq"] == 6
    assert following["delta"] == "four"


def test_cursor_at_the_start_of_the_log_gets_no_gap(
    owner: APIClient, socket: Sockets, redis: Redis
) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "Hi!")
    redis.xtrim(keys.for_session(owner.id).events, minid="3-0", approximate=False)
    assert socket(owner, after=2).receive()["seq"] == 3
    assert socket(owner, after=1).receive()["type"] == "gap"


def test_future_cursor_gets_a_gap(owner: APIClient, socket: Sockets) -> None:
    """This happens after a failover that lost the newest events."""
    owner.post_message("hello")
    opened = socket(owner, after=1000)
    assert opened.receive() | {"created_at": 0, "session_id": ""} == {
        "type": "gap",
        "session_id": "",
        "created_at": 0,
        "requested": 1000,
        "earliest": 1,
        "latest": 1,
    }
    assert opened.receive()["seq"] == 1
    owner.post_message("again")
    assert opened.receive()["seq"] == 2


def test_missing_log_causes_a_gap(owner: APIClient, socket: Sockets, redis: Redis) -> None:
    owner.post_message("hello")
    redis.delete(keys.for_session(owner.id).events)
    opened = socket(owner)
    assert opened.receive()["earliest"] == 2
    assert opened.receive()["messages"][0]["content"] == "hello"


def test_message_is_acknowledged_and_sent_to_all(owner: APIClient, socket: Sockets) -> None:
    mine, other = socket(owner), socket(owner)
    other.wait_until_authenticated()
    answer = mine.request(
        type="message.create", content="hello", ref="my-1", options={"max_tokens": 5}, deadline=60
    )
    assert (answer["type"], answer["ref"]) == ("message.accepted", "my-1")
    assert (answer["message"]["content"], answer["queue_position"]) == ("hello", 0)
    event = other.receive()
    assert (event["type"], event["reply"]) == ("message.queued", answer["reply"])
    assert claim_turn(owner.id).options.max_tokens == 5
    assert "ref" not in other.receive()


def test_repeated_key_posts_a_message_once(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    frame = {"type": "message.create", "content": "hello", "key": "only-once"}
    first, again = opened.request(**frame), opened.request(**frame)
    assert first == again
    assert opened.request(**frame | {"content": "other"})["error"]["code"] == "idempotency_mismatch"
    posted = owner.post("/messages", {"content": "hello"}, Idempotency_Key="only-once")
    assert posted.json()["reply"] == first["reply"]
    assert owner.get_session()["seq"] == 1


def test_turn_can_be_cancelled(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    opened.request(type="message.create", content="hello")
    answer = opened.request(type="message.cancel", id="msg_2", ref="c")
    assert (answer["type"], answer["ref"]) == ("cancel.accepted", "c")
    assert answer["reply"]["status"] == Status.CANCELLED
    again = opened.request(type="message.cancel", id="msg_1")
    assert again["reply"] == answer["reply"]


def test_ping_renews_the_expiry(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    before = owner.get_session()["expires_at"]
    answer = opened.request(type="ping", ref="p")
    assert (answer["type"], answer["ref"]) == ("pong", "p")
    assert answer["expires_at"] > before
    assert owner.get_session()["expires_at"] == answer["expires_at"]


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ({"type": "nonsense"}, "invalid_request", "type"),
        ({"type": 5}, "invalid_request", "type"),
        ({"content": "hello"}, "invalid_request", "type"),
        ({"type": "auth", "token": "x"}, "invalid_request", "type"),
        ({"type": "message.create"}, "invalid_request", "content"),
        ({"type": "message.create", "content": " "}, "invalid_request", "content"),
        ({"type": "message.create", "content": "x", "role": "system"}, "invalid_request", "role"),
        ({"type": "message.create", "content": "x", "session": "x"}, "invalid_request", "session"),
        ({"type": "message.create", "content": "x", "key": "short"}, "invalid_request", None),
        ({"type": "message.create", "content": "x" * 40_000}, "invalid_request", "content"),
        ({"type": "message.cancel", "id": "msg_9"}, "message_not_found", None),
        ({"type": "message.cancel", "id": "*"}, "message_not_found", None),
        ({"type": "message.cancel"}, "invalid_request", "id"),
        ({"type": "ping", "seq": 1}, "invalid_request", "seq"),
        ({"type": "ping", "ref": 5}, "invalid_request", "ref"),
    ],
)
def test_invalid_command_keeps_the_websocket_open(
    owner: APIClient, socket: Sockets, frame: dict[str, object], code: str, param: str | None
) -> None:
    opened = socket(owner)
    answer = opened.request(**{"ref": "r"} | frame)
    assert answer["type"] == "error"
    assert answer["ref"] == (None if frame.get("ref") else "r")
    assert answer["error"]["code"] == code
    assert answer["error"]["param"] == (param or answer["error"]["param"])
    assert answer["error"]["request_id"].startswith("req_")
    assert answer["detail"] == answer["error"]["message"]
    opened.wait_until_authenticated()
    assert owner.get_session()["seq"] == 0


@pytest.mark.parametrize("data", ["{", "[]", b"{}", '{"type":"ping","type":"ping"}', "[" * 9999])
def test_malformed_frame_keeps_the_websocket_open(
    owner: APIClient, socket: Sockets, data: str | bytes
) -> None:
    opened = socket(owner)
    opened.wait_until_authenticated()
    opened.send(data)
    assert opened.receive()["error"]["code"] == "invalid_request"
    opened.wait_until_authenticated()


def test_on_busy_reject_rejects_a_second_message(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    opened.request(type="message.create", content="hello")
    answer = opened.request(type="message.create", content="again", on_busy="reject", ref="b")
    assert (answer["error"]["code"], answer["ref"]) == ("session_busy", "b")


@pytest.mark.security("S25")
def test_too_large_frame_closes_the_websocket(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    opened.send_frame(type="message.create", content="x" * 70_000)
    assert opened.close_code() == 1009


@pytest.mark.security("S25")
@pytest.mark.parametrize("message", [b"\xffhush", [b'{"type": "ping', b"\xed\xa0\x80hush"]])
def test_invalid_utf_8_closes_the_websocket_without_a_log_entry(
    owner: APIClient, parley: Stack, socket: Sockets, message: bytes | list[bytes]
) -> None:
    opened = socket(owner)
    opened.send(message, text=True)
    assert opened.close_code() == 1007
    for web in (parley.web(0), parley.web(1)):
        assert "UTF-8" not in web.log
        assert "UnicodeDecodeError" not in web.log


@pytest.mark.security("S25")
def test_too_many_frames_close_the_websocket(hasty: APIClient, socket: Sockets) -> None:
    opened = socket(hasty)
    with suppress(ConnectionClosed):
        for _ in range(12):
            opened.send_frame(type="ping")
    assert opened.close_code() == 4429


@pytest.mark.security("S25")
def test_too_many_fragments_or_pings_close_the_websocket(hasty: APIClient, socket: Sockets) -> None:
    """They use the web process's CPU, although the application does not get them."""
    pieces, pings = socket(hasty), socket(hasty)
    with suppress(ConnectionClosed):
        pieces.send([""] * 30)
    with suppress(ConnectionClosed):
        for _ in range(30):
            pings.ping()
    assert (pieces.close_code(), pings.close_code()) == (4429, 4429)


@pytest.mark.security("S25")
def test_fragmented_message_is_accepted(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    opened.ping()
    opened.send(['{"type": ', '"pi', 'ng"}'])
    opened.wait_until_authenticated()


def test_disconnect_does_not_cancel_the_turn(owner: APIClient, socket: Sockets) -> None:
    opened = socket(owner)
    opened.request(type="message.create", content="hello")
    claim = claim_turn(owner.id)
    assert not append_text(claim, "Still ")
    opened.drop_connection()
    assert not append_text(claim, "here", after="Still ")
    finish_turn(claim, after="Still here")
    assert owner.get_session()["messages"][-1]["content"] == "Still here"
    assert socket(owner, after=3).receive_until("message.completed")[0]["seq"] == 4
