"""Turns that run against model servers with unusual responses."""

import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_django import Settings

from chat.domain import Caller, Timeouts
from chat.domain.errors import TokenBudgetExceeded
from chat.store import sessions, turns
from chat.worker.wake_ups import wake_ups
from tests.integration.providers.raw_server import D, E, H, Handler, RawServer, X, read_request
from tests.integration.store import steps
from tests.integration.store.steps import Message
from tests.integration.worker import turns as turns_on_loop
from tests.unit.providers.models import model

REASONING = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'
SHORT = Timeouts(first_event=0.4, between_events=0.4, without_text=1.2, total=20)


@pytest.fixture
def run_turn(settings: Settings) -> Callable[..., Message]:
    def run(handle: Handler, caller: Caller | None = None, **fields: object) -> Message:
        """Submit a message, answer it with `handle`, and return the reply."""
        caller = caller or steps.create_session()
        with RawServer(handle) as server:
            configured = model(name="default", url=server.url, **fields)
            settings.CHAT_MODELS = {"default": configured}
            accepted = steps.submit(caller)
            turns_on_loop.run_turn(caller.session_id)
        return steps.find_message(caller, json.loads(accepted.reply)["id"])

    return run


def sends(*parts: bytes, pause: float = 0.0) -> Handler:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        connection.shutdown(socket.SHUT_WR)

    return handle


@pytest.mark.case("C10")
@pytest.mark.parametrize("sign", [REASONING, b": ping\n\n", b"event: ping\ndata: x\n\n"])
def test_activity_keeps_a_call_alive(run_turn: Callable[..., Message], sign: bytes) -> None:
    parts = (H, *[sign] * 5, D, sign, sign, sign, D, E, X)
    reply = run_turn(sends(*parts, pause=0.15), timeouts=SHORT)
    assert reply["status"] == "completed"
    assert reply["content"] == "HelloHello"


@pytest.mark.case("C10")
def test_activity_without_text_is_bounded(run_turn: Callable[..., Message]) -> None:
    began = time.monotonic()
    reply = run_turn(sends(H, *[REASONING] * 400, pause=0.05), timeouts=SHORT)
    assert 1.2 <= time.monotonic() - began < 10
    assert reply["status"] == "queued"
    assert reply["error"]["code"] == "model_timeout"


@pytest.mark.case("C10")
def test_silence_after_activity_times_out(run_turn: Callable[..., Message]) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(H + REASONING)

    began = time.monotonic()
    reply = run_turn(handle, timeouts=replace(SHORT, first_event=5.0, without_text=10.0))
    assert time.monotonic() - began < 4
    assert reply["error"]["code"] == "model_timeout"


@pytest.mark.case("C11")
def test_reasoning_in_tags_is_no_text(run_turn: Callable[..., Message]) -> None:
    thinking = D.replace(b"Hello", b"<think>hm</think>Hello")
    reply = run_turn(sends(H, thinking, E, X), think_tags=True)
    assert reply["content"] == "Hello"
    assert reply["items"] == [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "Hello"},
    ]


@pytest.mark.case("C11")
def test_reasoning_can_be_dropped(run_turn: Callable[..., Message]) -> None:
    reply = run_turn(sends(H, REASONING, D, E, X), reasoning="drop")
    assert (reply["content"], "items" in reply) == ("Hello", False)
    assert reply["usage"]["reasoning_tokens"] == 1


@pytest.mark.case("C11")
def test_reasoning_is_kept_up_to_a_limit(run_turn: Callable[..., Message]) -> None:
    longer = REASONING.replace(b"hm", "\N{SNOWMAN}".encode() * 11_000)
    reply = run_turn(sends(H, longer, longer, D, E, X))
    reasoning, text = reply["items"]
    assert reasoning["text"] == "\N{SNOWMAN}" * (64 * 1024 // 3)
    assert text["text"] == "Hello"
    assert reply["usage"]["completion_tokens"] > 16_000


@pytest.mark.case("C06")
def test_zero_usage_counts_towards_the_token_budget(
    run_turn: Callable[..., Message], settings: Settings
) -> None:
    settings.CHAT_SESSION_TOKENS_PER_HOUR = 40
    caller = steps.create_session()
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}\n\n'
    text = D.replace(b"Hello", b"Hello, my dear friend, how are you today?")
    for _ in range(2):
        reply = run_turn(sends(H, text, E, usage, X), caller)
        assert reply["usage"]["source"] == "estimated"
    with pytest.raises(TokenBudgetExceeded):
        steps.submit(caller)


@pytest.mark.case("C17")
@pytest.mark.parametrize("system_prompt", ["", " ", "\n\t "])
def test_blank_system_prompt_is_not_sent(
    run_turn: Callable[..., Message], system_prompt: str
) -> None:
    new = replace(steps.new_session(), system_prompt=json.dumps(system_prompt).encode())
    sessions.create(new)
    requests: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(H + D + E + X)
        connection.shutdown(socket.SHUT_WR)

    run_turn(handle, Caller(session_id=new.id, credential=new.token_hash))
    body = json.loads(requests[0].partition(b"\r\n\r\n")[2])
    assert body["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.security("S60")
def test_options_and_instructions_are_those_that_the_called_model_allows(
    run_turn: Callable[..., Message],
) -> None:
    """They were checked for the model that the session had when the message was posted."""
    caller = steps.create_session()
    options = {"max_tokens": 900, "temperature": 2.0, "stop": ["x"], "seed": 7}
    request = json.dumps({"options": options, "instructions": "Obey."}).encode()
    turns.submit(caller, replace(steps.submission("hello"), request=request))
    requests: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(H + D + E + X)
        connection.shutdown(socket.SHUT_WR)

    allowed = {"max_tokens": 100, "stop": True, "top_p": True}
    run_turn(handle, caller, system_prompt="Be brief.", client_options=allowed)
    body = json.loads(requests[0].partition(b"\r\n\r\n")[2])
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["max_tokens"], body["stop"]) == (100, ["x"])
    assert not body.keys() & {"temperature", "seed", "top_p"}


@pytest.mark.security("S50")
def test_prompt_that_cannot_fit_is_not_sent(run_turn: Callable[..., Message]) -> None:
    new = replace(steps.new_session(), system_prompt=json.dumps("s" * 32 * 1024).encode())
    sessions.create(new)
    calls: list[socket.socket] = []
    caller = Caller(session_id=new.id, credential=new.token_hash)
    reply = run_turn(calls.append, caller, context_tokens=8192)
    assert (reply["status"], reply["error"]["code"]) == ("failed", "context_too_long")
    assert calls == []


def test_cancelled_turn_ends_instead_of_a_retry(
    run_turn: Callable[..., Message],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next turn starts at once, not when a sweep finds it."""
    caplog.set_level(logging.INFO)
    woken: list[str] = []
    monkeypatch.setattr(wake_ups, "wake_behind_others", woken.append)
    caller = steps.create_session()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        steps.submit(caller)
        turns.cancel(caller, 2)  # the flusher reads the request with its next heartbeat, too late
        connection.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")

    reply = run_turn(handle, caller)
    assert reply["status"] == "cancelled"
    assert woken == [caller.session_id]
    assert "msg_2: cancelled" in caplog.messages
