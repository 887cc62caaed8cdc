"""`Upstream.close()` ends a call wherever it waits, and hurts no other call."""

import gc
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.domain.errors import UpstreamClosed
from chat.http.cancellation import CancellableCall
from chat.providers.base import Provider
from chat.providers.openai import OpenAI
from tests.harness.wait import wait_until
from tests.integration.providers.calls import HELLO, Call, ask, patient, to
from tests.integration.providers.servers import (
    DONE,
    END,
    STREAM,
    Server,
    answers,
    delta,
    document,
    in_turn,
    read_request,
)
from tests.unit.providers.models import model, prompt

# Seconds; closing takes a millisecond on a machine that has time, and not closing a minute.
SOON = 3.0

WHOLE = (STREAM, delta("Yes"), delta("", '"stop"'), DONE, END)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.fixture(params=["", "good"], ids=["plain", "tls"])
def certificate(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Stuck:
    """A handler that reads the request, says `parts`, and then nothing more."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.reached = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        read_request(connection)
        for part in self.parts:
            connection.sendall(part)
        self.reached.set()


def closes_at_once(first: Stuck, certificate: str, *, after_text: bool = False) -> None:
    """Close a call that is stuck, and see that the next one is answered."""
    with Server(in_turn(first, answers(*WHOLE)), certificate=certificate) as server:
        provider = to(server, timeouts=patient())
        call = Call(provider)
        assert first.reached.wait(10)
        if after_text:
            assert call.first_said.wait(10)
        wait_until(call.waits)
        assert call.close() < SOON
        assert server.client_has_gone()
        assert ask(provider) == "Yes"


def test_a_call_closed_before_it_begins_connects_to_nothing() -> None:
    with Server(answers(*WHOLE)) as server:
        upstream = CancellableCall()
        upstream.cancel()
        with pytest.raises(UpstreamClosed):
            ask(to(server), upstream=upstream)
        assert server.connections == 0


@pytest.fixture
def full_house() -> Iterator[int]:
    """The port of a listener that takes no further connection, so that connecting waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(3):
            guest = socket.socket()
            guest.setblocking(False)
            guest.connect_ex(("127.0.0.1", port))
            waiting.append(guest)
        yield port
        for guest in waiting:
            guest.close()


def test_closing_ends_the_wait_for_a_connection(full_house: int) -> None:
    call = Call(OpenAI(model(url=f"http://127.0.0.1:{full_house}", timeouts=patient())))
    wait_until(call.waits)
    assert call.is_alive()
    assert call.close() < SOON


def test_closing_ends_the_wait_for_a_tls_handshake() -> None:
    mute = Stuck()
    with Server(mute) as server:
        url = server.url.replace("http:", "https:")
        call = Call(to(server, url=url, timeouts=patient()))
        wait_until(lambda: server.connections)
        wait_until(call.waits)
        assert call.is_alive()
        assert call.close() < SOON
        assert server.client_has_gone()


def test_closing_ends_the_wait_for_headers(certificate: str) -> None:
    closes_at_once(Stuck(), certificate)


def test_closing_ends_the_wait_for_the_rest_of_the_headers(certificate: str) -> None:
    closes_at_once(Stuck(STREAM[:40]), certificate)


def test_closing_ends_the_wait_for_the_first_delta(certificate: str) -> None:
    closes_at_once(Stuck(STREAM), certificate)


def test_closing_ends_the_wait_for_the_next_delta(certificate: str) -> None:
    closes_at_once(Stuck(STREAM, delta("a")), certificate, after_text=True)


def test_closing_ends_the_wait_for_the_rest_of_a_delta(certificate: str) -> None:
    closes_at_once(Stuck(STREAM, delta("a"), delta("b")[:30]), certificate, after_text=True)


def test_cancel_ends_a_body_without_length(certificate: str) -> None:
    event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    closes_at_once(Stuck(UNTIL_CLOSE, event), certificate, after_text=True)


def test_closing_ends_the_wait_for_the_rest_of_a_document(certificate: str) -> None:
    closes_at_once(Stuck(document(b"{" * 100)[:-50]), certificate)


def test_closing_ends_the_wait_for_the_rest_of_an_error(certificate: str) -> None:
    error = b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    closes_at_once(Stuck(error), certificate)


def test_closing_ends_the_sending_of_a_request_that_nobody_reads(certificate: str) -> None:
    reached = threading.Event()
    hold = threading.Event()

    def deaf(_: socket.socket) -> None:
        reached.set()
        hold.wait(10)

    with Server(deaf, certificate=certificate) as server:
        call = Call(to(server, timeouts=patient()), prompt("x" * 20_000_000))
        assert reached.wait(10)
        wait_until(call.waits)
        assert call.close() < SOON
        hold.set()


def test_closing_stops_a_model_that_talks_without_end(certificate: str) -> None:
    def endless(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(STREAM)
        while True:
            connection.sendall(delta("a") * 50)

    with Server(endless, certificate=certificate) as server:
        call = Call(to(server, timeouts=patient()))
        assert call.first_said.wait(10)
        assert call.close() < SOON
        # Its writes fail: the connection is not only half closed.
        assert server.client_has_gone()


def test_closing_twice_or_after_the_end_does_nothing(certificate: str) -> None:
    with Server(answers(*WHOLE), certificate=certificate) as server:
        provider = to(server)
        upstream = CancellableCall()
        assert ask(provider, upstream=upstream) == "Yes"
        upstream.cancel()
        upstream.cancel()
        assert upstream.is_cancelled
        assert ask(provider) == "Yes"
        assert server.connections == 1


def test_leaving_the_iterator_closes_the_connection(certificate: str) -> None:
    talk = in_turn(Stuck(STREAM, delta("a")), answers(*WHOLE))
    with Server(talk, certificate=certificate) as server:
        provider = to(server)
        said = provider.stream(HELLO, CancellableCall())
        assert next(said) == "a"
        said.close()  # type: ignore[attr-defined]
        assert server.client_has_gone()
        assert ask(provider) == "Yes"


@pytest.mark.parametrize(
    "parts",
    [
        WHOLE,
        (b"".join(WHOLE),),
        (STREAM + delta("Yes"), delta("", '"stop"') + DONE + END),
        (document(b'{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}]}'),),
    ],
    ids=["split", "at once", "halves", "document"],
)
def test_a_connection_that_was_read_to_its_end_serves_again(
    parts: tuple[bytes, ...], certificate: str
) -> None:
    with Server(answers(*parts), certificate=certificate) as server:
        provider = to(server)
        assert [ask(provider) for _ in range(5)] == ["Yes"] * 5
        assert server.connections == 1


def test_an_end_that_comes_late_is_not_waited_for(certificate: str) -> None:
    first = Stuck(*WHOLE[:-1])
    with Server(in_turn(first, answers(*WHOLE)), certificate=certificate) as server:
        provider = to(server, timeouts=patient())
        began = time.monotonic()
        assert ask(provider) == "Yes"
        assert time.monotonic() - began < 30
        assert server.client_has_gone()
        assert ask(provider) == "Yes"


def test_what_follows_the_end_marker_never_reaches_the_next_call(certificate: str) -> None:
    extra = (*WHOLE[:-1], delta("stale"), delta("staler"), END)
    with Server(answers(*extra), certificate=certificate) as server:
        provider = to(server)
        assert [ask(provider) for _ in range(5)] == ["Yes"] * 5


def fast(connection: socket.socket) -> None:
    while read_request(connection):
        for part in WHOLE:
            connection.sendall(part)


# Python 3.11's SSLSocket._create leaves its socket to the garbage collector when the connection
# ends between connecting and the handshake.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_closing_at_any_moment_hurts_no_other_call(certificate: str) -> None:
    dice = random.Random(20)
    with Server(fast, certificate=certificate) as server:
        provider = to(server, pool_size=4)
        outcomes: list[tuple[bool, bool]] = []

        def work(moments: list[float | None]) -> None:
            outcomes.extend(_one(provider, moment) for moment in moments)

        def moments() -> list[float | None]:
            latest = [dice.choice([None, 0.005, 0.05]) for _ in range(100)]
            return [None if late is None else dice.uniform(0, late) for late in latest]

        workers = [threading.Thread(target=work, args=(moments(),)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    gc.collect()
    assert len(outcomes) == 400
    assert all(answered for closed, answered in outcomes if not closed)
    assert not all(answered for closed, answered in outcomes if closed)


def _one(provider: Provider, moment: float | None) -> tuple[bool, bool]:
    """Make one call, close it after `moment`; return whether it was closed, whether answered."""
    upstream = CancellableCall()
    closer = threading.Timer(moment or 0, upstream.cancel)
    if moment is not None:
        closer.start()
    try:
        answered = ask(provider, upstream=upstream) == "Yes"
    except UpstreamClosed:
        answered = False
    finally:
        if moment is not None:
            closer.join()
    return moment is not None, answered


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_behind(certificate: str) -> None:
    stuck = Stuck(STREAM, delta("a"))
    with Server(stuck, certificate=certificate) as server:
        provider = to(server)
        Call(provider).close()
        gc.collect()
        before = descriptors()
        for _ in range(20):
            call = Call(provider)
            assert call.first_said.wait(10)
            call.close()
        for _ in range(20):
            assert server.client_has_gone()
        # Proxies of other tests, which live in this process, may have opened a few meanwhile.
        wait_until(lambda: descriptors() < before + 10)
