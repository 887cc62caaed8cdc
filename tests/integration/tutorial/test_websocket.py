"""The tutorial's WebSocket: each client gets the replies of its session, in order."""

import pytest
import requests
from redis import Redis
from websockets.exceptions import InvalidStatus

from tests.harness.concurrency import run_concurrently
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.tutorial.client import TutorialClient

CLIENTS = 20
ROUNDS = 3
# A short turn has at most this many events.
EVENTS_OF_A_TURN = 10


def test_concurrent_clients_get_their_own_replies(echo_stack: Stack) -> None:
    users = [TutorialClient(echo_stack.web(number % 2).url) for number in range(CLIENTS)]
    for number, user in enumerate(users):
        user.open_session(f"user {number}")

    def talk(number: int) -> list[str]:
        with users[number].connect() as socket:
            return [
                socket.request(f"{number} asks {each} [[latency=0.1]]") for each in range(ROUNDS)
            ]

    received = run_concurrently([lambda number=number: talk(number) for number in range(CLIENTS)])  # type: ignore[misc]
    for number, replies in enumerate(received):
        expected = [f"echo: {number} asks {each} [[latency=0.1]]" for each in range(ROUNDS)]
        assert replies == expected


def test_concurrent_messages_are_answered_in_order(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        for number in range(5):
            socket.send(f"{number}")
        received = [socket.receive()["msg"] for _ in range(5)]
    assert received == [f"Bot: echo: {number}" for number in range(5)]


def test_frame_and_history_have_the_same_reply_id(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        socket.send("hello")
        frame = socket.receive()
    assert ada.refresh()["messages"][-1] == frame


def test_reconnected_client_gets_the_pending_reply(ada: TutorialClient, echo_stack: Stack) -> None:
    with ada.connect() as socket:
        socket.send("wait for me [[latency=1]]")
        wait_until(lambda: ada.refresh()["messages"])
    ada.url = echo_stack.web(1).url
    ada.refresh()
    with ada.connect() as socket:
        assert socket.receive()["msg"] == "Bot: echo: wait for me [[latency=1]]"


def test_reply_is_sent_only_to_its_session(ada: TutorialClient, echo_stack: Stack) -> None:
    other = TutorialClient(echo_stack.web().url)
    other.open_session("Bob")
    with ada.connect() as first, ada.connect() as second, other.connect() as foreign:
        assert first.request("hello") == "echo: hello"
        assert second.receive()["msg"] == "Bot: echo: hello"
        assert foreign.request("mine") == "echo: mine"


def test_failed_turn_is_reported_as_text(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        words = socket.request("[[fault:400]]")
        assert words == "The model's service rejected the request."
        assert socket.request("and now?") == "echo: and now?"
    assert ada.refresh()["messages"][1]["msg"] == f"Bot: {words}"


def test_cancelled_reply_keeps_its_partial_text(ada: TutorialClient) -> None:
    session_id = ada.token.partition(".")[0]
    headers = {"Authorization": f"Bearer {ada.token}"}
    with ada.connect() as socket:
        socket.send("[[fault:hang]]")
        cancel = f"{ada.url}/sessions/{session_id}/messages/msg_2/cancel"
        wait_until(lambda: requests.post(cancel, json={}, headers=headers, timeout=9).ok)
        assert socket.receive()["msg"] == "Bot: The reply was cancelled."


def test_rejected_message_is_reported_as_text(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        assert socket.request(" \u200b ") == "This field may not be blank."
        for _ in range(5):
            socket.request("hello")
        assert socket.request("one more") == "Too many requests."
    assert len(ada.refresh()["messages"]) == 10


@pytest.mark.security("S01")
def test_invalid_token_closes_the_websocket(ada: TutorialClient) -> None:
    other = ada.token[:-1] + ("A" if ada.token[-1] != "A" else "B")
    for token, code in {"": 4401, "nonsense": 4401, other: 4404}.items():
        with ada.connect(token=token) as socket:
            assert socket.close_code() == code


def test_deleted_session_closes_its_websocket(ada: TutorialClient) -> None:
    session_id = ada.token.partition(".")[0]
    headers = {"Authorization": f"Bearer {ada.token}"}
    with ada.connect() as socket:
        socket.request("hello")
        requests.delete(f"{ada.url}/sessions/{session_id}", headers=headers, timeout=9)
        assert socket.close_code() == 4404


def test_binary_frame_is_rejected(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        socket.connection.send(b"hello")
        assert socket.receive()["msg"] == "Bot: A message must be text."


@pytest.mark.security("S06")
def test_foreign_origin_is_rejected(ada: TutorialClient) -> None:
    with pytest.raises(InvalidStatus, match="403"), ada.connect(origin="https://elsewhere.example"):
        pass


def test_websocket_behind_the_log_misses_no_reply(ada: TutorialClient, echo_stack: Stack) -> None:
    fast, slow = echo_stack.web(0), echo_stack.web(1)
    text = "[[tokens=1000 rate=500]]"
    elsewhere = TutorialClient(fast.url)
    elsewhere.token = ada.token
    ada.url = slow.url
    with ada.connect() as socket, elsewhere.connect() as other:
        # Each receives the replies that end after it was authenticated.
        wait_until(lambda: subscriber_count(echo_stack, ada) == 2)
        socket.request("hello")
        other.receive()
        slow.freeze()
        received = [other.request(f"{number} {text}") for number in range(2)]
        assert oldest_event(echo_stack, ada) > EVENTS_OF_A_TURN
        slow.thaw()
        assert [socket.receive()["msg"] for _ in range(2)] == [f"Bot: {each}" for each in received]


def subscriber_count(stack: Stack, user: TutorialClient) -> int:
    """Return the number of web processes that are subscribed to the user's session."""
    with Redis.from_url(stack.redis.url, decode_responses=True) as redis:
        channels = redis.pubsub_channels(f"chat:*:events:{user.token.partition('.')[0]}")
        return sum(count for _, count in redis.pubsub_numsub(*channels))


def oldest_event(stack: Stack, user: TutorialClient) -> int:
    """Return the seq of the oldest event in the log."""
    with Redis.from_url(stack.redis.url, decode_responses=True) as redis:
        (session,) = redis.scan_iter(f"chat:{{*}}:session:{user.token.partition('.')[0]}")
        return 1 + int(redis.hget(session, "log_start") or 0)
