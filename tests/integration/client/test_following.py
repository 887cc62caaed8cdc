"""A reply is read whole, whatever becomes of the connections that it comes by."""

import threading

import pytest

from parley_client import Client, Refusal, Reply, ReplyFailed, wire
from tests.integration.client import told
from tests.integration.client.server import Answer, Asked, Server


def opened(asked: Asked) -> None:
    asked.reply(201, told.session())


def accepted(asked: Asked) -> None:
    asked.reply(202, {"message": None, "reply": told.reply(seq=2)}, X_Request_ID="req_9")


def streaming(*parts: str) -> Answer:
    return lambda asked: asked.stream(*parts)


def snapshot(*messages: object, seq: int, status: str = "busy") -> Answer:
    members = told.session(seq=seq, messages=messages, status=status)
    return lambda asked: asked.reply(200, members)


def no_streams(asked: Asked) -> None:
    asked.refuse(404, "not_found")


def asked_for(client: Client) -> Reply:
    return client.open().send("hello")


def test_a_reply_is_streamed_piece_by_piece() -> None:
    stream = streaming(told.delta(4, "one "), ": ping\n\n", told.delta(5, "two"))
    end = streaming(told.ended(6, "one two"))
    with Server(opened, accepted, stream, end) as server, Client(server.url) as client:
        reply = asked_for(client)
        assert list(reply) == ["one ", "two"]
        assert reply.message.status == "completed"
        assert reply.text == "one two"
        assert list(reply) == ["one two"]


def test_a_stream_that_ends_is_gone_on_with_where_it_ended() -> None:
    answers = [
        streaming(told.delta(4, "one "), told.delta(5, "two "), told.delta(6, "lost")[:-1]),
        Asked.drop,
        lambda asked: asked.refuse(503, "store_unavailable"),
        streaming(told.delta(6, "three")),
        streaming(told.ended(7, "one two three")),
    ]
    with Server(opened, accepted, *answers) as server, Client(server.url) as client:
        assert list(asked_for(client)) == ["one ", "two ", "three"]
    streams = [asked.path for asked in server.asked[2:]]
    cursors = [path.partition("after=")[2] for path in streams]
    assert cursors == ["2", "5", "5", "5", "6"]


def test_what_happens_to_other_messages_is_left_out() -> None:
    other = told.delta(4, "not mine").replace("msg_2", "msg_4")
    stream = streaming(told.event(3, "session.updated"), other, told.ended(5, "mine"))
    with Server(opened, accepted, stream) as server, Client(server.url) as client:
        assert asked_for(client).text == "mine"


def test_a_reply_that_begins_anew_says_so() -> None:
    stream = streaming(
        told.delta(4, "one "),
        told.event(5, "message.restarted", message=told.reply(seq=5)),
        told.event(6, "message.started", message=told.reply("in_progress", seq=6)),
        told.delta(7, "uno "),
        told.ended(8, "uno dos"),
    )
    with Server(opened, accepted, stream) as server, Client(server.url) as client:
        reply = asked_for(client)
        deltas = list(reply)
    assert [(delta, delta.restarts) for delta in deltas] == [
        ("one ", False),
        ("uno ", True),
        ("dos", False),
    ]
    assert reply.text == "uno dos"


def test_where_the_log_no_longer_reaches_back_a_snapshot_takes_its_place() -> None:
    gap = told.plain(type="gap", requested=4, earliest=50, latest=60)
    whole = told.session(
        type="snapshot", seq=60, messages=[told.reply("in_progress", "one two ", seq=60)]
    )
    first = streaming(told.delta(4, "one "))
    then = streaming(gap, told.plain(**whole), told.delta(61, "three"))
    end = streaming(told.ended(62, "one two three"))
    with Server(opened, accepted, first, then, end) as server, Client(server.url) as client:
        assert list(asked_for(client)) == ["one ", "two ", "three"]
    cursors = [asked.path.partition("after=")[2] for asked in server.asked[2:]]
    assert cursors == ["2", "4", "61"]


def test_a_session_that_has_ended_ends_the_reading() -> None:
    gone = streaming(told.plain(type="session.deleted", seq=5))

    def unknown(asked: Asked) -> None:
        asked.refuse(404, "session_not_found")

    with Server(opened, accepted, gone, unknown) as server, Client(server.url) as client:
        reply = asked_for(client)
        with pytest.raises(Refusal) as caught:
            list(reply)
    assert caught.value.code == "session_not_found"


def test_where_there_are_no_streams_the_session_is_polled() -> None:
    polls = [
        snapshot(seq=3),
        snapshot(told.reply("in_progress", "one ", seq=4), seq=4),
        snapshot(told.reply("in_progress", "one two", seq=5), seq=5),
        snapshot(told.reply("completed", "one two", seq=6), seq=6, status="idle"),
    ]
    with Server(opened, accepted, no_streams, *polls) as server, Client(server.url) as client:
        assert list(asked_for(client)) == ["one ", "two"]
    assert [asked.path.partition("?")[2] for asked in server.asked[3:]] == [
        f"after={cursor}&wait=25.0" for cursor in (2, 3, 4, 5)
    ]


def test_a_reply_that_snapshots_no_longer_bring_is_asked_for() -> None:
    def whole(asked: Asked) -> None:
        asked.reply(200, told.reply("completed", "all of it", seq=9))

    idle = snapshot(seq=90, status="idle")
    with Server(opened, accepted, no_streams, idle, whole) as server, Client(server.url) as client:
        assert asked_for(client).text == "all of it"


def test_streams_can_be_left_alone() -> None:
    end = snapshot(told.reply("completed", "polled", seq=6), seq=6, status="idle")
    with Server(opened, accepted, end) as server, Client(server.url, streams=False) as client:
        assert asked_for(client).text == "polled"
    assert not any("/events" in asked.path for asked in server.asked)


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_a_turn_without_a_reply_raises(status: str) -> None:
    error = {"code": "model_timeout", "message": "The model took too long."}
    stream = streaming(told.ended(4, "", status, error=error))
    with Server(opened, accepted, stream) as server, Client(server.url) as client:
        reply = asked_for(client)
        with pytest.raises(ReplyFailed, match="took too long") as caught:
            list(reply)
    assert (caught.value.code, caught.value.request_id) == ("model_timeout", "req_9")


@pytest.mark.parametrize("status", ["cancelled", "incomplete"])
def test_a_reply_that_was_cut_short_is_what_there_is(status: str) -> None:
    stream = streaming(told.delta(4, "half"), told.ended(5, "half", status))
    with Server(opened, accepted, stream) as server, Client(server.url) as client:
        reply = asked_for(client)
        assert list(reply) == ["half"]
        assert reply.message.status == status


def test_reading_can_be_left_and_taken_up_again() -> None:
    stream = streaming(told.delta(4, "one "), told.delta(5, "two "))
    rest = streaming(told.delta(5, "two "), told.ended(6, "one two three"))
    with Server(opened, accepted, stream, rest) as server, Client(server.url) as client:
        reply = asked_for(client)
        assert next(iter(reply)) == "one "
        assert list(reply) == ["one ", "two ", "three"]
    assert server.asked[-1].path.endswith("after=4")


def test_a_proxy_that_holds_streams_back_is_got_round_by_polls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "SILENCE", 0.2)
    held = threading.Event()

    def holding(_: Asked) -> None:
        held.wait(5)

    end = snapshot(told.reply("completed", "polled", seq=6), seq=6, status="idle")
    answers = [opened, accepted, holding, holding, end]
    with Server(*answers) as server, Client(server.url) as client:
        assert asked_for(client).text == "polled"
        held.set()
