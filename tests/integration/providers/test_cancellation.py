"""Cancelling its task ends a call wherever it waits, and affects no other call."""

import asyncio
import gc
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.providers.base import Provider
from chat.providers.openai import OpenAI
from tests.harness.wait import wait_until
from tests.integration.providers.calls import (
    RunningCall,
    Stream,
    collect,
    create_provider,
    get_reply,
    long_timeouts,
    on_loop,
)
from tests.integration.providers.raw_server import (
    DONE,
    END,
    STREAM,
    RawServer,
    delta,
    handle_in_order,
    json_response,
    read_request,
    respond,
)
from tests.unit.providers.models import model, prompt

# Cancelling takes a millisecond on an idle machine; without it, a call would take a minute.
MAX_SECONDS = 3.0

COMPLETE = (STREAM, delta("Yes"), delta("", '"stop"'), DONE, END)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.fixture(params=["", "good"], ids=["plain", "tls"])
def certificate(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class HangingHandler:
    """A handler that reads the request, sends `parts`, and hangs."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.reached = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        read_request(connection)
        for part in self.parts:
            connection.sendall(part)
        self.reached.set()


def assert_cancellable(
    first: HangingHandler, certificate: str, *, after_text: bool = False
) -> None:
    """Cancel a hanging call, and check that the next call succeeds."""
    with RawServer(handle_in_order(first, respond(*COMPLETE)), certificate=certificate) as server:
        provider = create_provider(server, timeouts=long_timeouts())
        call = RunningCall(provider)
        assert first.reached.wait(10)
        if after_text:
            assert call.has_delta.wait(10)
        assert call.cancel() < MAX_SECONDS
        assert server.client_disconnected()
        assert get_reply(provider) == "Yes"


def test_call_cancelled_early_does_not_connect() -> None:
    async def cancel_before_it_starts(provider: Provider) -> None:
        call = asyncio.ensure_future(collect(provider))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    with RawServer(respond(*COMPLETE)) as server:
        on_loop(cancel_before_it_starts(create_provider(server)))
        assert server.connections == 0


@pytest.fixture
def full_port() -> Iterator[int]:
    """The port of a listener with a full backlog, so that connecting hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        sockets = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            sockets.append(client)
        yield port
        for client in sockets:
            client.close()


def test_cancel_while_connecting(full_port: int) -> None:
    call = RunningCall(OpenAI(model(url=f"http://127.0.0.1:{full_port}", timeouts=long_timeouts())))
    time.sleep(0.05)
    assert call.is_running()
    assert call.cancel() < MAX_SECONDS


def test_cancel_during_the_tls_handshake() -> None:
    silent = HangingHandler()
    with RawServer(silent) as server:
        url = server.url.replace("http:", "https:")
        call = RunningCall(create_provider(server, url=url, timeouts=long_timeouts()))
        wait_until(lambda: server.connections)
        assert call.is_running()
        assert call.cancel() < MAX_SECONDS
        assert server.client_disconnected()


def test_cancel_before_the_headers(certificate: str) -> None:
    assert_cancellable(HangingHandler(), certificate)


def test_cancel_in_the_headers(certificate: str) -> None:
    assert_cancellable(HangingHandler(STREAM[:40]), certificate)


def test_cancel_before_the_first_delta(certificate: str) -> None:
    assert_cancellable(HangingHandler(STREAM), certificate)


def test_cancel_before_the_next_delta(certificate: str) -> None:
    assert_cancellable(HangingHandler(STREAM, delta("a")), certificate, after_text=True)


def test_cancel_in_a_delta(certificate: str) -> None:
    assert_cancellable(
        HangingHandler(STREAM, delta("a"), delta("b")[:30]), certificate, after_text=True
    )


def test_cancel_in_a_close_delimited_body(certificate: str) -> None:
    event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    assert_cancellable(HangingHandler(UNTIL_CLOSE, event), certificate, after_text=True)


def test_cancel_in_a_document(certificate: str) -> None:
    assert_cancellable(HangingHandler(json_response(b"{" * 100)[:-50]), certificate)


def test_cancel_in_an_error_response(certificate: str) -> None:
    error = b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    assert_cancellable(HangingHandler(error), certificate)


def test_cancel_while_sending(certificate: str) -> None:
    reached = threading.Event()
    finish = threading.Event()

    def ignore(_: socket.socket) -> None:
        reached.set()
        finish.wait(10)

    with RawServer(ignore, certificate=certificate) as server:
        call = RunningCall(
            create_provider(server, timeouts=long_timeouts()), prompt("x" * 20_000_000)
        )
        assert reached.wait(10)
        assert call.cancel() < MAX_SECONDS
        finish.set()


def test_cancel_stops_an_endless_stream(certificate: str) -> None:
    def endless(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(STREAM)
        while True:
            connection.sendall(delta("a") * 50)

    with RawServer(endless, certificate=certificate) as server:
        call = RunningCall(create_provider(server, timeouts=long_timeouts()))
        assert call.has_delta.wait(10)
        assert call.cancel() < MAX_SECONDS
        # The server's writes fail: the connection is not only half closed.
        assert server.client_disconnected()


def test_closing_the_iterator_closes_the_connection(certificate: str) -> None:
    handler = handle_in_order(HangingHandler(STREAM, delta("a")), respond(*COMPLETE))
    with RawServer(handler, certificate=certificate) as server:
        provider = create_provider(server)
        items = Stream(provider)
        assert next(items) == "a"
        items.close()
        assert server.client_disconnected()
        assert get_reply(provider) == "Yes"


@pytest.mark.parametrize(
    "parts",
    [
        COMPLETE,
        (b"".join(COMPLETE),),
        (STREAM + delta("Yes"), delta("", '"stop"') + DONE + END),
        (json_response(b'{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}]}'),),
    ],
    ids=["split", "at once", "halves", "document"],
)
def test_completely_read_connection_is_reused(parts: tuple[bytes, ...], certificate: str) -> None:
    with RawServer(respond(*parts), certificate=certificate) as server:
        provider = create_provider(server)
        assert [get_reply(provider) for _ in range(5)] == ["Yes"] * 5
        assert server.connections == 1


def test_late_end_of_a_stream_is_not_awaited(certificate: str) -> None:
    first = HangingHandler(*COMPLETE[:-1])
    with RawServer(handle_in_order(first, respond(*COMPLETE)), certificate=certificate) as server:
        provider = create_provider(server, timeouts=long_timeouts())
        start = time.monotonic()
        assert get_reply(provider) == "Yes"
        assert time.monotonic() - start < 30
        assert server.client_disconnected()
        assert get_reply(provider) == "Yes"


def test_data_after_the_end_marker_reaches_no_other_call(certificate: str) -> None:
    extra = (*COMPLETE[:-1], delta("stale"), delta("staler"), END)
    with RawServer(respond(*extra), certificate=certificate) as server:
        provider = create_provider(server)
        assert [get_reply(provider) for _ in range(5)] == ["Yes"] * 5


def respond_completely(connection: socket.socket) -> None:
    while read_request(connection):
        for part in COMPLETE:
            connection.sendall(part)


def test_cancel_at_random_affects_no_other_call(certificate: str) -> None:
    generator = random.Random(20)

    async def call_once(provider: Provider, moment: float | None) -> tuple[bool, bool]:
        """Make a call, and cancel it after `moment`; return whether it was, and succeeded."""
        call = asyncio.ensure_future(collect(provider))
        await asyncio.wait([call], timeout=moment)
        call.cancel()
        try:
            return moment is not None, "Yes" in await call
        except asyncio.CancelledError:
            return moment is not None, False

    async def work(provider: Provider) -> list[tuple[bool, bool]]:
        latest = [generator.choice([None, 0.005, 0.05]) for _ in range(100)]
        moments = [None if late is None else generator.uniform(0, late) for late in latest]
        return [await call_once(provider, moment) for moment in moments]

    async def work_in_four_tasks(provider: Provider) -> list[list[tuple[bool, bool]]]:
        return await asyncio.gather(*(work(provider) for _ in range(4)))

    with RawServer(respond_completely, certificate=certificate) as server:
        results = on_loop(work_in_four_tasks(create_provider(server, pool_size=4)))
    outcomes = [outcome for each in results for outcome in each]
    assert len(outcomes) == 400
    assert all(succeeded for cancelled, succeeded in outcomes if not cancelled)
    assert not all(succeeded for cancelled, succeeded in outcomes if cancelled)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_leaks(certificate: str) -> None:
    handler = HangingHandler(STREAM, delta("a"))
    with RawServer(handler, certificate=certificate) as server:
        provider = create_provider(server)
        RunningCall(provider).cancel()
        gc.collect()
        before = open_descriptors()
        for _ in range(20):
            call = RunningCall(provider)
            assert call.has_delta.wait(10)
            call.cancel()
        for _ in range(20):
            assert server.client_disconnected()
        # Threads of other tests in this process may have opened a few.
        wait_until(lambda: open_descriptors() < before + 10)
