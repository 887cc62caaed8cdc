"""Replies are read completely, whatever happens to the connections."""

import threading

import pytest

from parley_client import APIStatusError, Client, Reply, ReplyFailed, transport
from tests.integration.client import payloads
from tests.integration.client.scripted_server import Request, Responder, ScriptedServer


def created(request: Request) -> None:
    request.respond(201, payloads.session())


def accepted(request: Request) -> None:
    body = {"message": None, "reply": payloads.reply(seq=2)}
    request.respond(202, body, X_Request_ID="req_9")


def streaming(*parts: str) -> Responder:
    return lambda request: request.stream(*parts)


def snapshot(*messages: object, seq: int, status: str = "busy") -> Responder:
    members = payloads.session(seq=seq, messages=messages, status=status)
    return lambda request: request.respond(200, members)


def no_streams(request: Request) -> None:
    request.respond_error(404, "not_found")


def send_hello(client: Client) -> Reply:
    return client.open().send("hello")


def test_reply_is_streamed_in_deltas() -> None:
    stream = streaming(payloads.delta(4, "one "), ": ping\n\n", payloads.delta(5, "two"))
    end = streaming(payloads.final(6, "one two"))
    with ScriptedServer(created, accepted, stream, end) as server, Client(server.url) as client:
        reply = send_hello(client)
        assert list(reply) == ["one ", "two"]
        assert reply.message.status == "completed"
        assert reply.text == "one two"
        assert list(reply) == ["one two"]


def test_broken_stream_resumes_at_its_cursor() -> None:
    cut_off = payloads.delta(6, "lost")[:-1]
    responders = [
        streaming(payloads.delta(4, "one "), payloads.delta(5, "two "), cut_off),
        Request.drop,
        lambda request: request.respond_error(503, "store_unavailable"),
        streaming(payloads.delta(6, "three")),
        streaming(payloads.final(7, "one two three")),
    ]
    with ScriptedServer(created, accepted, *responders) as server, Client(server.url) as client:
        assert list(send_hello(client)) == ["one ", "two ", "three"]
    streams = [request.path for request in server.requests[2:]]
    cursors = [path.partition("after=")[2] for path in streams]
    assert cursors == ["2", "5", "5", "5", "6"]


def test_events_of_other_messages_are_ignored() -> None:
    other = payloads.delta(4, "not mine").replace("msg_2", "msg_4")
    stream = streaming(payloads.event(3, "session.updated"), other, payloads.final(5, "mine"))
    with ScriptedServer(created, accepted, stream) as server, Client(server.url) as client:
        assert send_hello(client).text == "mine"


def test_restarted_reply_marks_its_first_delta() -> None:
    stream = streaming(
        payloads.delta(4, "one "),
        payloads.event(5, "message.restarted", message=payloads.reply(seq=5)),
        payloads.event(6, "message.started", message=payloads.reply("in_progress", seq=6)),
        payloads.delta(7, "uno "),
        payloads.final(8, "uno dos"),
    )
    with ScriptedServer(created, accepted, stream) as server, Client(server.url) as client:
        reply = send_hello(client)
        deltas = list(reply)
    assert [(delta, delta.is_restart) for delta in deltas] == [
        ("one ", False),
        ("uno ", True),
        ("dos", False),
    ]
    assert reply.text == "uno dos"


def test_gap_in_the_event_log_is_filled_by_a_snapshot() -> None:
    gap = payloads.frame(type="gap", requested=4, earliest=50, latest=60)
    whole = payloads.session(
        type="snapshot", seq=60, messages=[payloads.reply("in_progress", "one two ", seq=60)]
    )
    first = streaming(payloads.delta(4, "one "))
    then = streaming(gap, payloads.frame(**whole), payloads.delta(61, "three"))
    end = streaming(payloads.final(62, "one two three"))
    responders = [created, accepted, first, then, end]
    with ScriptedServer(*responders) as server, Client(server.url) as client:
        assert list(send_hello(client)) == ["one ", "two ", "three"]
    cursors = [request.path.partition("after=")[2] for request in server.requests[2:]]
    assert cursors == ["2", "4", "61"]


def test_deleted_session_ends_the_stream_with_an_error() -> None:
    deleted = streaming(payloads.frame(type="session.deleted", seq=5))

    def not_found(request: Request) -> None:
        request.respond_error(404, "session_not_found")

    responders = [created, accepted, deleted, not_found]
    with ScriptedServer(*responders) as server, Client(server.url) as client:
        reply = send_hello(client)
        with pytest.raises(APIStatusError) as caught:
            list(reply)
    assert caught.value.code == "session_not_found"


def test_client_polls_if_the_server_has_no_streams() -> None:
    polls = [
        snapshot(seq=3),
        snapshot(payloads.reply("in_progress", "one ", seq=4), seq=4),
        snapshot(payloads.reply("in_progress", "one two", seq=5), seq=5),
        snapshot(payloads.reply("completed", "one two", seq=6), seq=6, status="idle"),
    ]
    responders = [created, accepted, no_streams, *polls]
    with ScriptedServer(*responders) as server, Client(server.url) as client:
        assert list(send_hello(client)) == ["one ", "two"]
    assert [request.path.partition("?")[2] for request in server.requests[3:]] == [
        f"after={cursor}&wait=25.0" for cursor in (2, 3, 4, 5)
    ]


def test_reply_missing_from_snapshots_is_fetched() -> None:
    def whole(request: Request) -> None:
        request.respond(200, payloads.reply("completed", "all of it", seq=9))

    idle = snapshot(seq=90, status="idle")
    responders = [created, accepted, no_streams, idle, whole]
    with ScriptedServer(*responders) as server, Client(server.url) as client:
        assert send_hello(client).text == "all of it"


def test_streams_can_be_turned_off() -> None:
    end = snapshot(payloads.reply("completed", "polled", seq=6), seq=6, status="idle")
    with (
        ScriptedServer(created, accepted, end) as server,
        Client(server.url, stream=False) as client,
    ):
        assert send_hello(client).text == "polled"
    assert not any("/events" in request.path for request in server.requests)


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_turn_without_a_reply_raises(status: str) -> None:
    error = {"code": "model_timeout", "message": "The model took too long."}
    stream = streaming(payloads.final(4, "", status, error=error))
    with ScriptedServer(created, accepted, stream) as server, Client(server.url) as client:
        reply = send_hello(client)
        with pytest.raises(ReplyFailed, match="took too long") as caught:
            list(reply)
    assert (caught.value.code, caught.value.request_id) == ("model_timeout", "req_9")


@pytest.mark.parametrize("status", ["cancelled", "incomplete"])
def test_partial_reply_is_returned_without_an_error(status: str) -> None:
    stream = streaming(payloads.delta(4, "half"), payloads.final(5, "half", status))
    with ScriptedServer(created, accepted, stream) as server, Client(server.url) as client:
        reply = send_hello(client)
        assert list(reply) == ["half"]
        assert reply.message.status == status


def test_iteration_can_stop_and_start_again() -> None:
    stream = streaming(payloads.delta(4, "one "), payloads.delta(5, "two "))
    rest = streaming(payloads.delta(5, "two "), payloads.final(6, "one two three"))
    with ScriptedServer(created, accepted, stream, rest) as server, Client(server.url) as client:
        reply = send_hello(client)
        assert next(iter(reply)) == "one "
        assert list(reply) == ["one ", "two ", "three"]
    assert server.requests[-1].path.endswith("after=4")


def test_client_polls_if_a_proxy_buffers_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT", 0.2)
    is_over = threading.Event()

    def buffering(_: Request) -> None:
        is_over.wait(5)

    end = snapshot(payloads.reply("completed", "polled", seq=6), seq=6, status="idle")
    responders = [created, accepted, buffering, buffering, end]
    with ScriptedServer(*responders) as server, Client(server.url) as client:
        assert send_hello(client).text == "polled"
        is_over.set()


def test_reasoning_is_read_beside_the_text() -> None:
    stream = streaming(
        payloads.event(4, "message.reasoning", delta="lost"),
        payloads.event(5, "message.restarted", message=payloads.reply(seq=5)),
        payloads.event(6, "message.reasoning", delta="hm, "),
        payloads.event(7, "message.reasoning", delta="yes"),
        payloads.delta(8, "Hello"),
        payloads.final(9, "Hello"),
    )
    with ScriptedServer(created, accepted, stream) as server, Client(server.url) as client:
        reply = send_hello(client)
        assert list(reply) == ["Hello"]
        assert reply.reasoning == "hm, yes"


def test_reasoning_of_a_snapshot_replaces_what_was_read() -> None:
    items = [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "Hello"}]
    ended = payloads.reply("completed", "Hello", seq=5, items=items)
    read = [no_streams, snapshot(ended, seq=5, status="idle")]
    with ScriptedServer(created, accepted, *read) as server, Client(server.url) as client:
        reply = send_hello(client)
        assert reply.text == "Hello"
        assert reply.reasoning == reply.message.reasoning == "hm"
