"""Replies are complete and without repeats, whatever breaks on the way."""

from collections.abc import Callable, Iterator

import pytest

from parley_client import Client, transport
from tests.harness.concurrency import start_concurrently
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.tiers import thorough
from tests.integration.client.conftest import ENV, MODEL_OPTIONS

# A message whose reply takes two seconds.
LONG = "hello [[tokens=300 rate=150]]"


@pytest.fixture
def proxy(echo_stack: Stack) -> Iterator[Proxy]:
    with Proxy(echo_stack.web().url) as opened:
        yield opened


def test_half_open_connection_is_detected(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT", 1.0)
    with Client(proxy.url) as client:
        session = client.open()
        reply = session.send(LONG)
        deltas = iter(reply)
        text = str(next(deltas))
        assert proxy.half_open()
        text += "".join(deltas)
        assert text == session.message(reply.id).content


def test_message_is_posted_once_if_the_response_is_lost(proxy: Proxy) -> None:
    with Client(proxy.url) as client:
        session = client.open()
        proxy.drop_response_to("only once")
        assert session.send("only once").text == "echo: only once"
        assert proxy.triggered.is_set()
        assert len(list(session.history())) == 2


def test_session_opens_if_the_response_is_lost(proxy: Proxy) -> None:
    with Client(proxy.url) as client:
        proxy.drop_response_to("POST /sessions ")
        session = client.open(name="Ada")
        assert proxy.triggered.is_set()
        assert session.send("hello").text == "echo: hello"


@pytest.mark.parametrize("stream", [True, *thorough(False)])
def test_reply_continues_after_a_web_restart(echo_stack: Stack, *, stream: bool) -> None:
    web = echo_stack.web()
    with Client(web.url, stream=stream) as client:
        session = client.open()
        reply = session.send(LONG)
        deltas = iter(reply)
        text = str(next(deltas))
        (rest,) = start_concurrently([lambda: "".join(deltas)])
        web.kill()
        web.start()
        assert text + rest.result() == reply.text == session.message(reply.id).content


@pytest.mark.thorough
def test_lost_worker_restarts_the_reply(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(env=ENV, model_options=MODEL_OPTIONS).start()
    with Client(stack.web().url) as client:
        reply = client.open().send(LONG)
        deltas = iter(reply)
        shown = [next(deltas)]
        stack.worker().kill()
        stack.worker(1).start()
        for delta in deltas:
            if delta.is_restart:
                shown.clear()
            shown.append(delta)
        assert reply.message.attempt == 2
        assert "".join(shown) == reply.text == reply.message.content
