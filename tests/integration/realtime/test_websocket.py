"""The WebSocket: authentication, events and commands."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chat.domain import Retry, Status, WaitReason
from chat.settings import chat_settings
from chat.store import keys, leases
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.api.fake_worker import append_text, claim_turn, complete_turn, finish_turn
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient, handshake_status

Connect = Callable[..., WebSocketClient]
OpenStream = Callable[..., EventStreamClient]
UNKNOWN_ID = "ses_" + "0" * 24
SECRET = "A" * 43
TOO_LONG = "x" * (chat_settings.MAX_CONTENT_BYTES + 1)


def ticket(owner: APIClient) -> str:
    word: str = owner.post(f"{owner.path}/ticket", {}).json()["ticket"]
    return word


@pytest.mark.parametrize("method", ["frame", "ticket", "token", "frame, cursor in the URL"])
def test_frame_ticket_and_token_authenticate(
    owner: APIClient, connect: Connect, method: str
) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "Hi!")
    match method:
        case "frame":
            ws = connect(owner, after=1)
        case "ticket":
            ws = connect(owner, query=f"?ticket={ticket(owner)}&after=1")
        case "token":
            ws = connect(owner, query=f"?token={owner.token}&after=1")
        case _:
            ws = connect(owner, query="?after=1")
            ws.send_frame(type="auth", token=owner.token)
    assert [event["seq"] for event in ws.receive_until("message.completed")] == [2, 3, 4]


def test_missing_cursor_returns_the_whole_log(owner: APIClient, connect: Connect) -> None:
    owner.post_message("hello")
    assert connect(owner, after=None).receive()["seq"] == 1


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
    owner: APIClient, connect: Connect, query: str, code: int, limited: APIClient
) -> None:
    if code == 4408:
        owner = limited
    query = query.format(id=owner.id, token=owner.token)
    assert connect(owner, query=query).close_code() == code


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
    owner: APIClient, connect: Connect, frame: str | bytes, code: int
) -> None:
    ws = connect(owner, auth=False)
    ws.send(frame)
    assert ws.close_code() == code


@pytest.mark.security("S01")
def test_token_opens_no_other_session(owner: APIClient, connect: Connect) -> None:
    """Whether the session exists or not."""
    other = APIClient(owner.url).open_session()
    for path in (f"{other.path}/ws", f"/sessions/{UNKNOWN_ID}/ws", "/sessions/*/ws"):
        assert connect(owner, path=path).close_code() == 4404
        assert connect(owner, path=path, query=f"?token={owner.token}").close_code() == 4404


def test_missing_authentication_times_out(limited: APIClient, connect: Connect) -> None:
    assert connect(limited, auth=False).close_code() == 4408


@pytest.mark.security("S04")
def test_tokens_in_urls_can_be_disabled(limited: APIClient, connect: Connect) -> None:
    assert connect(limited, query=f"?token={limited.token}").close_code() == 4401
    connect(limited).wait_until_authenticated()


def test_unknown_path_closes_with_4404(owner: APIClient, connect: Connect) -> None:
    for path in ("/", "/sessions", f"{owner.path}/ws/", f"{owner.path}/socket"):
        assert connect(owner, path=path, auth=False).close_code() == 4404


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
    ("origin", "setting"),
    [(None, "add `missing` to CHAT_SOCKET_ORIGINS"), ("https://evil.example", "CORS_ORIGINS")],
)
def test_rejected_origin_is_told_what_to_do(
    owner: APIClient, connect: Connect, origin: str | None, setting: str
) -> None:
    with pytest.raises(InvalidStatus) as rejection:
        connect(owner, origin=origin)
    error = json.loads(rejection.value.response.body)["error"]
    assert error["code"] == "not_allowed"
    assert setting in error["message"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("null", 101), (None, 101), ("https://friend.example", 101), ("https://evil.example", 403)],
)
def test_setting_allows_further_origins(
    limited: APIClient, origin: str | None, status: int
) -> None:
    assert handshake_status(limited, origin=origin) == status


@pytest.mark.security("S01", "S23", "S25")
def test_subscribers_of_a_session_are_limited(limited: APIClient, connect: Connect) -> None:
    subscribers = [connect(limited) for _ in range(3)]
    for subscriber in subscribers:
        subscriber.wait_until_authenticated()
    assert connect(limited).close_code() == 4429
    response = limited.get(f"{limited.path}/events")
    assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limited")
    assert response.headers["Retry-After"] == "5"
    stranger = APIClient(limited.url, id=limited.id, token=f"{limited.id}.{'x' * 43}")
    assert connect(stranger).close_code() == 4404
    response = stranger.get(f"{limited.path}/events")
    assert status_and_code(response) == (404, "session_not_found")
    subscribers[0].__exit__()
    wait_until(lambda: limited.get(f"{limited.path}", params={"wait": 0.01, "after": 0}).ok)


@pytest.mark.security("S23", "S25")
def test_concurrent_streams_respect_the_limit(limited: APIClient, open_stream: OpenStream) -> None:
    with ThreadPoolExecutor(12) as threads:
        streams = list(threads.map(lambda _: open_stream(limited), range(12)))
        statuses = [each.response.status_code for each in streams]
    assert Counter(statuses) == {200: 3, 429: 9}


def test_replayed_events_are_those_that_were_published(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    owner.post_message("grüße \u2028 \U0001f600")
    claim = claim_turn(owner.id)
    append_text(claim, 'He said "hi"\n')
    finish_turn(claim, "and left.", after='He said "hi"\n')
    received = [ws.receive_text() for _ in range(5)]
    replay = connect(owner)
    assert received == [replay.receive_text() for _ in range(5)]


def test_events_reach_clients_of_other_web_processes(
    owner: APIClient, parley: Stack, connect: Connect
) -> None:
    elsewhere = APIClient(parley.web(1).url, id=owner.id, token=owner.token)
    first, second = connect(owner), connect(elsewhere)
    first.request(type="message.create", content="hello")
    assert second.receive()["type"] == "message.queued"
    second.request(type="message.cancel", id="msg_2")
    assert first.receive_until("message.cancelled")


def test_all_subscribers_receive_the_same_events(owner: APIClient, connect: Connect) -> None:
    subscribers = [connect(owner) for _ in range(5)]
    owner.post_message("hello")
    late = connect(owner)
    complete_turn(owner.id, "Hi!")
    received = [
        subscriber.receive_until("message.completed") for subscriber in [*subscribers, late]
    ]
    assert all(each == received[0] for each in received)
    assert [event["seq"] for event in received[0]] == [1, 2, 3, 4]


def test_retried_turn_sends_a_restarted_event(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    append_text(claim, "Wrong")
    leases.retry(
        claim.lease,
        Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=True, model=None),
    )
    complete_turn(owner.id, "Right")
    received = ws.receive_until("message.completed")
    kinds = [event["type"].removeprefix("message.") for event in received]
    assert kinds == ["queued", "started", "delta", "restarted", "started", "delta", "completed"]
    assert received[-1]["message"]["content"] == "Right"
    assert received[-1]["message"]["attempt"] == 2


def test_session_changes_are_events(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    owner.request("PATCH", owner.path, json={"name": "Tides"})
    owner.post(f"{owner.path}/reset", {})
    assert ws.receive()["changes"] == {"name": "Tides"}
    assert ws.receive()["type"] == "session.reset"


def test_cursor_older_than_the_log_gets_gap_and_snapshot(
    owner: APIClient, connect: Connect, redis: Redis
) -> None:
    owner.post_message("hello")
    claim = claim_turn(owner.id)
    text = ""
    for piece in ("one ", "two ", "three "):
        append_text(claim, piece, after=text)
        text += piece
    redis.ltrim(keys.for_session(owner.id).log, 3, -1)
    ws = connect(owner, after=1)
    gap, snapshot = ws.receive(), ws.receive()
    assert (gap["type"], gap["requested"], gap["earliest"], gap["latest"]) == ("gap", 1, 4, 5)
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 5)
    assert snapshot["messages"][-1]["content"] == text
    assert {**owner.get_session(), "type": "snapshot", "session_id": owner.id} == snapshot
    append_text(claim, "four", after=text)
    assert (following := ws.receive())["seq"] == 6
    assert following["delta"] == "four"


def test_cursor_at_the_start_of_the_log_gets_no_gap(
    owner: APIClient, connect: Connect, redis: Redis
) -> None:
    owner.post_message("hello")
    complete_turn(owner.id, "Hi!")
    redis.ltrim(keys.for_session(owner.id).log, 2, -1)
    assert connect(owner, after=2).receive()["seq"] == 3
    assert connect(owner, after=1).receive()["type"] == "gap"


def test_future_cursor_gets_a_gap(owner: APIClient, connect: Connect) -> None:
    """This happens after a failover that lost the newest events."""
    owner.post_message("hello")
    ws = connect(owner, after=1000)
    assert ws.receive() | {"created_at": 0, "session_id": ""} == {
        "type": "gap",
        "session_id": "",
        "created_at": 0,
        "requested": 1000,
        "earliest": 1,
        "latest": 1,
    }
    assert ws.receive()["seq"] == 1
    owner.post_message("again")
    assert ws.receive()["seq"] == 2


def test_missing_log_causes_a_gap(owner: APIClient, connect: Connect, redis: Redis) -> None:
    owner.post_message("hello")
    redis.delete(keys.for_session(owner.id).log)
    ws = connect(owner)
    assert ws.receive()["earliest"] == 2
    assert ws.receive()["messages"][0]["content"] == "hello"


def test_message_is_acknowledged_and_sent_to_all(owner: APIClient, connect: Connect) -> None:
    own, other = connect(owner), connect(owner)
    other.wait_until_authenticated()
    response = own.request(
        type="message.create", content="hello", ref="my-1", options={"max_tokens": 5}, deadline=60
    )
    assert (response["type"], response["ref"]) == ("message.accepted", "my-1")
    assert (response["message"]["content"], response["queue_position"]) == ("hello", 0)
    event = other.receive()
    assert (event["type"], event["reply"]) == ("message.queued", response["reply"])
    assert claim_turn(owner.id).options.max_tokens == 5
    assert "ref" not in other.receive()


def test_repeated_key_posts_a_message_once(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    frame = {"type": "message.create", "content": "hello", "key": "only-once"}
    first, again = ws.request(**frame), ws.request(**frame)
    assert first == again
    assert ws.request(**frame | {"content": "other"})["error"]["code"] == "idempotency_mismatch"
    posted = owner.post("/messages", {"content": "hello"}, Idempotency_Key="only-once")
    assert posted.json()["reply"] == first["reply"]
    assert owner.get_session()["seq"] == 1


def test_turn_can_be_cancelled(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    ws.request(type="message.create", content="hello")
    response = ws.request(type="message.cancel", id="msg_2", ref="c")
    assert (response["type"], response["ref"]) == ("cancel.accepted", "c")
    assert response["reply"]["status"] == Status.CANCELLED
    again = ws.request(type="message.cancel", id="msg_1")
    assert again["reply"] == response["reply"]


def test_ping_renews_the_expiry(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    before = owner.get_session()["expires_at"]
    response = ws.request(type="ping", ref="p")
    assert (response["type"], response["ref"]) == ("pong", "p")
    assert response["expires_at"] > before
    assert owner.get_session()["expires_at"] == response["expires_at"]


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
        ({"type": "message.create", "content": "x", "key": "é"}, "invalid_request", None),
        ({"type": "message.create", "content": TOO_LONG}, "invalid_request", "content"),
        ({"type": "message.cancel", "id": "msg_9"}, "message_not_found", None),
        ({"type": "message.cancel", "id": "*"}, "message_not_found", None),
        ({"type": "message.cancel"}, "invalid_request", "id"),
        ({"type": "ping", "seq": 1}, "invalid_request", "seq"),
        ({"type": "ping", "ref": 5}, "invalid_request", "ref"),
    ],
)
def test_invalid_command_keeps_the_websocket_open(
    owner: APIClient, connect: Connect, frame: dict[str, object], code: str, param: str | None
) -> None:
    ws = connect(owner)
    ws.wait_until_authenticated()  # before it, frames must be small
    response = ws.request(**{"ref": "r"} | frame)
    assert response["type"] == "error"
    assert response["ref"] == (None if frame.get("ref") else "r")
    assert response["error"]["code"] == code
    assert response["error"]["param"] == (param or response["error"]["param"])
    assert response["error"]["request_id"].startswith("req_")
    assert response["detail"] == response["error"]["message"]
    ws.wait_until_authenticated()
    assert owner.get_session()["seq"] == 0


@pytest.mark.parametrize("data", ["{", "[]", b"{}", '{"type":"ping","type":"ping"}', "[" * 9999])
def test_malformed_frame_keeps_the_websocket_open(
    owner: APIClient, connect: Connect, data: str | bytes
) -> None:
    ws = connect(owner)
    ws.wait_until_authenticated()
    ws.send(data)
    assert ws.receive()["error"]["code"] == "invalid_request"
    ws.wait_until_authenticated()


def test_on_busy_reject_rejects_a_second_message(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    ws.request(type="message.create", content="hello")
    response = ws.request(type="message.create", content="again", on_busy="reject", ref="b")
    assert (response["error"]["code"], response["ref"]) == ("session_busy", "b")


@pytest.mark.security("S25")
def test_too_large_frame_closes_the_websocket(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    ws.wait_until_authenticated()
    ws.announce_frame(chat_settings.MAX_BODY_BYTES + 1)
    assert ws.close_code() == 1009


@pytest.mark.security("S48")
def test_large_frame_before_authentication_closes_the_websocket(
    owner: APIClient, connect: Connect
) -> None:
    ws = connect(owner, auth=False)
    ws.send_frame(type="auth", token=owner.token, user="x" * 8192)
    assert ws.close_code() == 1009


@pytest.mark.security("S25")
@pytest.mark.parametrize("message", [b"\xffhush", [b'{"type": "ping', b"\xed\xa0\x80hush"]])
def test_invalid_utf_8_closes_the_websocket_without_a_log_entry(
    owner: APIClient, parley: Stack, connect: Connect, message: bytes | list[bytes]
) -> None:
    ws = connect(owner)
    ws.send(message, text=True)
    assert ws.close_code() == 1007
    for web in (parley.web(0), parley.web(1)):
        assert "UTF-8" not in web.log
        assert "UnicodeDecodeError" not in web.log


@pytest.mark.security("S25")
def test_too_many_frames_close_the_websocket(limited: APIClient, connect: Connect) -> None:
    ws = connect(limited)
    with suppress(ConnectionClosed):
        for _ in range(12):
            ws.send_frame(type="ping")
    assert ws.close_code() == 4429


@pytest.mark.security("S25")
def test_too_many_fragments_or_pings_close_the_websocket(
    limited: APIClient, connect: Connect
) -> None:
    """They use the web process's CPU, although the application does not get them."""
    pieces, pings = connect(limited), connect(limited)
    with suppress(ConnectionClosed):
        pieces.send([""] * 30)
    with suppress(ConnectionClosed):
        for _ in range(30):
            pings.ping()
    assert (pieces.close_code(), pings.close_code()) == (4429, 4429)


@pytest.mark.security("S25")
def test_fragmented_message_is_accepted(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    ws.ping()
    ws.send(['{"type": ', '"pi', 'ng"}'])
    ws.wait_until_authenticated()


def test_disconnect_does_not_cancel_the_turn(owner: APIClient, connect: Connect) -> None:
    ws = connect(owner)
    ws.request(type="message.create", content="hello")
    claim = claim_turn(owner.id)
    assert not append_text(claim, "Still ")
    ws.drop_connection()
    assert not append_text(claim, "here", after="Still ")
    finish_turn(claim, after="Still here")
    assert owner.get_session()["messages"][-1]["content"] == "Still here"
    assert connect(owner, after=3).receive_until("message.completed")[0]["seq"] == 4
