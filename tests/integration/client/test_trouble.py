"""A reply is read whole, each piece once, whatever breaks on the way."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from parley_client import Client, Session, wire
from tests.harness.crowd import started
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.integration.client.conftest import ENV, MODEL

LONG = "hello [[tokens=300 rate=150]]"
"""Takes two seconds."""


@pytest.fixture
def proxy(echoing: Stack) -> Iterator[Proxy]:
    with Proxy(echoing.web().url) as opened:
        yield opened


@contextmanager
def meanwhile(act: Callable[[], None], *, pauses: Callable[[], float]) -> Iterator[None]:
    """Do something again and again, with pauses in seconds."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(pauses()):
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def read_whole(session: Session) -> None:
    """Ask for a long reply and find each piece of it read once."""
    reply = session.send(LONG)
    deltas = list(reply)
    stored = session.message(reply.id).content
    assert len(stored) > 1000
    assert "".join(deltas) == stored
    assert not any(delta.restarts for delta in deltas)


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "polls"])
def test_cuts_lose_nothing_and_repeat_nothing(proxy: Proxy, *, streams: bool) -> None:
    rng = random.Random(1)
    with Client(proxy.url, streams=streams) as client:
        session = client.open()
        with meanwhile(proxy.cut, pauses=lambda: rng.uniform(0.02, 0.5)):
            read_whole(session)
        assert len(list(session.history())) == 2


def test_a_connection_that_dies_without_a_word_is_noticed(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SILENCE", 1.0)
    with Client(proxy.url) as client:
        session = client.open()
        reply = session.send(LONG)
        deltas = iter(reply)
        said = str(next(deltas))
        assert proxy.half_open()
        said += "".join(deltas)
        assert said == session.message(reply.id).content


def test_a_message_whose_answer_is_lost_is_posted_once(proxy: Proxy) -> None:
    with Client(proxy.url) as client:
        session = client.open()
        proxy.lose_answer_to("only once")
        assert session.send("only once").text == "echo: only once"
        assert proxy.tripped.is_set()
        assert len(list(session.history())) == 2


def test_a_session_whose_answer_is_lost_is_opened_all_the_same(proxy: Proxy) -> None:
    with Client(proxy.url) as client:
        proxy.lose_answer_to("POST /sessions ")
        session = client.open(name="Ada")
        assert proxy.tripped.is_set()
        assert session.send("hello").text == "echo: hello"


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "polls"])
def test_a_web_that_is_killed_and_comes_back_is_waited_for(
    echoing: Stack, *, streams: bool
) -> None:
    web = echoing.web()
    with Client(web.url, streams=streams) as client:
        session = client.open()
        reply = session.send(LONG)
        deltas = iter(reply)
        said = str(next(deltas))
        (rest,) = started([lambda: "".join(deltas)])
        web.kill()
        web.start()
        assert said + rest.result() == reply.text == session.message(reply.id).content


def test_a_lost_worker_makes_the_reply_begin_anew(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(env=ENV, model_options=MODEL).start()
    with Client(stack.web().url) as client:
        reply = client.open().send(LONG)
        deltas = iter(reply)
        shown = [next(deltas)]
        stack.worker().kill()
        stack.worker(1).start()
        for delta in deltas:
            if delta.restarts:
                shown.clear()
            shown.append(delta)
        assert reply.message.attempt == 2
        assert "".join(shown) == reply.text == reply.message.content
