"""The WebSocket: who may open it, what comes, what may be said."""

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
from tests.integration.api.calls import Api
from tests.integration.api.turns import finish, reply, say, take
from tests.integration.realtime.ways import Socket, Stream, refused

Sockets = Callable[..., Socket]
Streams = Callable[..., Stream]
NOBODYS = "ses_" + "0" * 24
SECRET = "A" * 43


def ticket(owner: Api) -> str:
    word: str = owner.post(f"{owner.path}/ticket", {}).json()["ticket"]
    return word


@pytest.mark.parametrize("way", ["frame", "ticket", "token", "frame, cursor in the URL"])
def test_there_are_three_ways_to_authenticate(owner: Api, socket: Sockets, way: str) -> None:
    owner.say("hello")
    reply(owner.id, "Hi!")
    match way:
        case "frame":
            opened = socket(owner, after=1)
        case "ticket":
            opened = socket(owner, query=f"?ticket={ticket(owner)}&after=1")
        case "token":
            opened = socket(owner, query=f"?token={owner.token}&after=1")
        case _:
            opened = socket(owner, query="?after=1")
            opened.say(type="auth", token=owner.token)
    assert [event["seq"] for event in opened.until("message.completed")] == [2, 3, 4]


def test_without_a_cursor_all_that_is_kept_comes(owner: Api, socket: Sockets) -> None:
    owner.say("hello")
    assert socket(owner, after=None).hear()["seq"] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?token=", 4408),
        ("?token=nonsense", 4401),
        ("?ticket=nonsense", 4401),
        (f"?ticket=tkt_{SECRET}", 4401),
        (f"?token={NOBODYS}.{SECRET}", 4404),
        ("?token={id}." + SECRET, 4404),
        ("?token={token}x", 4401),
        ("?token={token}&after=x", 4400),
        ("?token={token}&after=-1", 4400),
        ("?token={token}&after=1&after=2", 4400),
        ("?token={token}&model=default", 4400),
    ],
)
def test_a_url_that_is_no_good_closes_the_socket(
    owner: Api, socket: Sockets, query: str, code: int, hasty: Api
) -> None:
    if code == 4408:
        owner = hasty
    query = query.format(id=owner.id, token=owner.token)
    assert socket(owner, query=query).closed() == code


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"type":"ping"}', 4401),
        ('{"type":"auth","token":"nonsense"}', 4401),
        (f'{{"type":"auth","token":"{NOBODYS}.{SECRET}"}}', 4404),
        ('{"type":"auth"}', 4400),
        ('{"type":"auth","token":"x","after":"1"}', 4400),
        ('{"type":"auth","token":"x","seq":1}', 4400),
        ("{", 4400),
        ('"auth"', 4400),
        (b'{"type":"auth"}', 4400),
    ],
)
def test_a_first_frame_that_is_no_good_closes_the_socket(
    owner: Api, socket: Sockets, frame: str | bytes, code: int
) -> None:
    opened = socket(owner, auth=False)
    opened.send(frame)
    assert opened.closed() == code


@pytest.mark.security("S01")
def test_a_token_opens_no_other_session(owner: Api, socket: Sockets) -> None:
    """Whether there is such a session or not."""
    other = Api(owner.url).open()
    for path in (f"{other.path}/ws", f"/sessions/{NOBODYS}/ws", "/sessions/*/ws"):
        assert socket(owner, path=path).closed() == 4404
        assert socket(owner, path=path, query=f"?token={owner.token}").closed() == 4404


def test_who_says_nothing_is_sent_away(hasty: Api, socket: Sockets) -> None:
    assert socket(hasty, auth=False).closed() == 4408


@pytest.mark.security("S04")
def test_tokens_in_urls_can_be_switched_off(hasty: Api, socket: Sockets) -> None:
    assert socket(hasty, query=f"?token={hasty.token}").closed() == 4401
    socket(hasty).is_followed()


def test_an_unknown_path_is_not_found(owner: Api, socket: Sockets) -> None:
    for path in ("/", "/sessions", f"{owner.path}/ws/", f"{owner.path}/socket"):
        assert socket(owner, path=path, auth=False).closed() == 4404


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
def test_only_our_pages_and_listed_ones_open_sockets(
    owner: Api, origin: str | None, status: int
) -> None:
    assert refused(owner, origin=origin) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [("null", 101), (None, 101), ("https://friend.example", 101), ("https://evil.example", 403)],
)
def test_a_setting_lets_further_origins_in(hasty: Api, origin: str | None, status: int) -> None:
    assert refused(hasty, origin=origin) == status


@pytest.mark.security("S23", "S25")
def test_a_session_has_a_bound_of_followers(hasty: Api, socket: Sockets) -> None:
    followers = [socket(hasty) for _ in range(3)]
    for follower in followers:
        follower.is_followed()
    assert socket(hasty).closed() == 4429
    answer = hasty.get(f"{hasty.path}/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == "5"
    followers[0].__exit__()
    wait_until(lambda: hasty.get(f"{hasty.path}", params={"wait": 0.01, "after": 0}).ok)


@pytest.mark.security("S23", "S25")
def test_streams_that_are_asked_for_at_once_keep_to_the_bound(hasty: Api, stream: Streams) -> None:
    with ThreadPoolExecutor(12) as threads:
        opened = list(threads.map(lambda _: stream(hasty), range(12)))
        statuses = [each.response.status_code for each in opened]
    assert Counter(statuses) == {200: 3, 429: 9}


def test_events_come_as_they_are_stored(owner: Api, socket: Sockets, redis: Redis) -> None:
    opened = socket(owner)
    owner.say("grüße \u2028 \U0001f600")
    claim = take(owner.id)
    say(claim, 'He said "hi"\n')
    finish(claim, "and left.", after='He said "hi"\n')
    heard = [opened.raw() for _ in range(5)]
    stored: Any = redis.xrange(keys.for_session(owner.id).events)
    assert heard == [entry[b"event"].decode() for _, entry in stored]


def test_a_follower_of_one_web_hears_what_is_done_on_another(
    owner: Api, parley: Stack, socket: Sockets
) -> None:
    elsewhere = Api(parley.web(1).url, id=owner.id, token=owner.token)
    first, second = socket(owner), socket(elsewhere)
    first.ask(type="message.create", content="hello")
    assert second.hear()["type"] == "message.queued"
    second.ask(type="message.cancel", id="msg_2")
    assert first.until("message.cancelled")


def test_all_followers_of_a_session_hear_the_same(owner: Api, socket: Sockets) -> None:
    followers = [socket(owner) for _ in range(5)]
    owner.say("hello")
    late = socket(owner)
    reply(owner.id, "Hi!")
    heard = [follower.until("message.completed") for follower in [*followers, late]]
    assert all(each == heard[0] for each in heard)
    assert [event["seq"] for event in heard[0]] == [1, 2, 3, 4]


def test_a_reply_that_begins_anew_says_so(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    owner.say("hello")
    claim = take(owner.id)
    say(claim, "Wrong")
    leases.retry(
        claim.lease,
        Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=True, model=None),
    )
    reply(owner.id, "Right")
    heard = opened.until("message.completed")
    kinds = [event["type"].removeprefix("message.") for event in heard]
    assert kinds == ["queued", "started", "delta", "restarted", "started", "delta", "completed"]
    assert heard[-1]["message"]["content"] == "Right"
    assert heard[-1]["message"]["attempt"] == 2


def test_changes_of_the_session_are_events(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    owner.call("PATCH", owner.path, json={"name": "Tides"})
    owner.post(f"{owner.path}/reset", {})
    assert opened.hear()["changes"] == {"name": "Tides"}
    assert opened.hear()["type"] == "session.reset"


def test_a_cursor_older_than_the_log_gets_a_gap_and_a_snapshot(
    owner: Api, socket: Sockets, redis: Redis
) -> None:
    owner.say("hello")
    claim = take(owner.id)
    text = ""
    for piece in ("one ", "two ", "three "):
        say(claim, piece, after=text)
        text += piece
    redis.xtrim(keys.for_session(owner.id).events, minid="4-0", approximate=False)
    opened = socket(owner, after=1)
    gap, snapshot = opened.hear(), opened.hear()
    assert (gap["type"], gap["requested"], gap["earliest"], gap["latest"]) == ("gap", 1, 4, 5)
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 5)
    assert snapshot["messages"][-1]["content"] == text
    assert {**owner.snapshot(), "type": "snapshot", "session_id": owner.id} == snapshot
    say(claim, "four", after=text)
    assert (following := opened.hear())["seq"] == 6
    assert following["delta"] == "four"


def test_a_cursor_at_the_edge_of_the_log_gets_no_gap(
    owner: Api, socket: Sockets, redis: Redis
) -> None:
    owner.say("hello")
    reply(owner.id, "Hi!")
    redis.xtrim(keys.for_session(owner.id).events, minid="3-0", approximate=False)
    assert socket(owner, after=2).hear()["seq"] == 3
    assert socket(owner, after=1).hear()["type"] == "gap"


def test_a_cursor_that_is_yet_to_come_gets_a_gap(owner: Api, socket: Sockets) -> None:
    """As after a failover that has lost the newest events: they will be others."""
    owner.say("hello")
    opened = socket(owner, after=1000)
    assert opened.hear() | {"created_at": 0, "session_id": ""} == {
        "type": "gap",
        "session_id": "",
        "created_at": 0,
        "requested": 1000,
        "earliest": 1,
        "latest": 1,
    }
    assert opened.hear()["seq"] == 1
    owner.say("again")
    assert opened.hear()["seq"] == 2


def test_a_log_that_is_gone_altogether_leaves_a_gap(
    owner: Api, socket: Sockets, redis: Redis
) -> None:
    owner.say("hello")
    redis.delete(keys.for_session(owner.id).events)
    opened = socket(owner)
    assert opened.hear()["earliest"] == 2
    assert opened.hear()["messages"][0]["content"] == "hello"


def test_a_message_is_answered_to_who_posts_it_and_told_to_all(owner: Api, socket: Sockets) -> None:
    mine, other = socket(owner), socket(owner)
    other.is_followed()
    answer = mine.ask(
        type="message.create", content="hello", ref="my-1", options={"max_tokens": 5}, deadline=60
    )
    assert (answer["type"], answer["ref"]) == ("message.accepted", "my-1")
    assert (answer["message"]["content"], answer["queue_position"]) == ("hello", 0)
    event = other.hear()
    assert (event["type"], event["reply"]) == ("message.queued", answer["reply"])
    assert take(owner.id).options.max_tokens == 5
    assert "ref" not in other.hear()


def test_a_message_with_a_key_is_posted_once(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    frame = {"type": "message.create", "content": "hello", "key": "only-once"}
    first, again = opened.ask(**frame), opened.ask(**frame)
    assert first == again
    assert opened.ask(**frame | {"content": "other"})["error"]["code"] == "idempotency_mismatch"
    posted = owner.post("/messages", {"content": "hello"}, Idempotency_Key="only-once")
    assert posted.json()["reply"] == first["reply"]
    assert owner.snapshot()["seq"] == 1


def test_a_turn_can_be_cancelled(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    opened.ask(type="message.create", content="hello")
    answer = opened.ask(type="message.cancel", id="msg_2", ref="c")
    assert (answer["type"], answer["ref"]) == ("cancel.accepted", "c")
    assert answer["reply"]["status"] == Status.CANCELLED
    again = opened.ask(type="message.cancel", id="msg_1")
    assert again["reply"] == answer["reply"]


def test_a_ping_keeps_the_session_alive(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    before = owner.snapshot()["expires_at"]
    answer = opened.ask(type="ping", ref="p")
    assert (answer["type"], answer["ref"]) == ("pong", "p")
    assert answer["expires_at"] > before
    assert owner.snapshot()["expires_at"] == answer["expires_at"]


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
def test_a_frame_that_cannot_be_done_is_refused_and_the_socket_stays(
    owner: Api, socket: Sockets, frame: dict[str, object], code: str, param: str | None
) -> None:
    opened = socket(owner)
    answer = opened.ask(**{"ref": "r"} | frame)
    assert answer["type"] == "error"
    assert answer["ref"] == (None if frame.get("ref") else "r")
    assert answer["error"]["code"] == code
    assert answer["error"]["param"] == (param or answer["error"]["param"])
    assert answer["error"]["request_id"].startswith("req_")
    assert answer["detail"] == answer["error"]["message"]
    opened.is_followed()
    assert owner.snapshot()["seq"] == 0


@pytest.mark.parametrize("data", ["{", "[]", b"{}", '{"type":"ping","type":"ping"}', "[" * 9999])
def test_what_is_no_frame_is_refused_and_the_socket_stays(
    owner: Api, socket: Sockets, data: str | bytes
) -> None:
    opened = socket(owner)
    opened.is_followed()
    opened.send(data)
    assert opened.hear()["error"]["code"] == "invalid_request"
    opened.is_followed()


def test_a_busy_session_refuses_when_asked_to(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    opened.ask(type="message.create", content="hello")
    answer = opened.ask(type="message.create", content="again", on_busy="reject", ref="b")
    assert (answer["error"]["code"], answer["ref"]) == ("session_busy", "b")


@pytest.mark.security("S25")
def test_a_frame_that_is_too_large_closes_the_socket(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    opened.say(type="message.create", content="x" * 70_000)
    assert opened.closed() == 1009


@pytest.mark.security("S25")
@pytest.mark.parametrize("message", [b"\xffhush", [b'{"type": "ping', b"\xed\xa0\x80hush"]])
def test_text_that_is_no_utf_8_closes_the_socket_and_is_no_fault_in_the_log(
    owner: Api, parley: Stack, socket: Sockets, message: bytes | list[bytes]
) -> None:
    opened = socket(owner)
    opened.send(message, text=True)
    assert opened.closed() == 1007
    for web in (parley.web(0), parley.web(1)):
        assert "UTF-8" not in web.log
        assert "UnicodeDecodeError" not in web.log


@pytest.mark.security("S25")
def test_a_flood_of_frames_closes_the_socket(hasty: Api, socket: Sockets) -> None:
    opened = socket(hasty)
    with suppress(ConnectionClosed):
        for _ in range(12):
            opened.say(type="ping")
    assert opened.closed() == 4429


@pytest.mark.security("S25")
def test_a_flood_of_what_is_no_message_closes_the_socket(hasty: Api, socket: Sockets) -> None:
    """What the application never hears of keeps the web process busy, too."""
    pieces, pings = socket(hasty), socket(hasty)
    with suppress(ConnectionClosed):
        pieces.send([""] * 30)
    with suppress(ConnectionClosed):
        for _ in range(30):
            pings.ping()
    assert (pieces.closed(), pings.closed()) == (4429, 4429)


@pytest.mark.security("S25")
def test_a_message_may_come_in_pieces(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    opened.ping()
    opened.send(['{"type": ', '"pi', 'ng"}'])
    opened.is_followed()


def test_leaving_is_not_cancelling(owner: Api, socket: Sockets) -> None:
    opened = socket(owner)
    opened.ask(type="message.create", content="hello")
    claim = take(owner.id)
    assert not say(claim, "Still ")
    opened.break_off()
    assert not say(claim, "here", after="Still ")
    finish(claim, after="Still here")
    assert owner.snapshot()["messages"][-1]["content"] == "Still here"
    assert socket(owner, after=3).until("message.completed")[0]["seq"] == 4
