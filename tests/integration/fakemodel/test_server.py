"""The process: options, speed, limits, concurrency, signals."""

import asyncio
import json
import os
import signal
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import requests

from tests.harness.run_module import run_module
from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import CHAT, FakeModel, request_body


def seconds_of(model: FakeModel, text: str, *, stream: bool = False) -> float:
    started = time.monotonic()
    model.ask(text, stream=stream)
    return time.monotonic() - started


def test_a_message_can_set_the_speed(model: FakeModel) -> None:
    assert seconds_of(model, "Hello [[latency=0.3]]") >= 0.3
    # "echo:", "a", "b", "c", "[[rate=10]]": the first token comes at once.
    assert 0.4 <= seconds_of(model, "a b c [[rate=10]]", stream=True) < 3
    assert 0.5 <= seconds_of(model, "[[rate=2000 tokens=1001]]", stream=True) < 3
    varied = [seconds_of(model, "Hello [[latency=0.05 jitter=1]]") for _ in range(8)]
    assert max(varied) - min(varied) > 0.02


def test_calls_above_the_limits_get_429() -> None:
    limits = ("--requests-per-minute", "3", "--rate-limit-window", "1")
    with FakeModel("--concurrency-limit", "1", *limits) as limited:
        with limited.open_call(CHAT, "[[fault:hang]]"):
            wait_until(lambda: limited.get("/live")["in_flight"] == 1)
            concurrent = limited.post(CHAT, "Hello")
        wait_until(lambda: limited.get("/live")["in_flight"] == 0)
        responses = [limited.post(CHAT, "Help") for _ in range(5)]
        wait_until(lambda: limited.post(CHAT, "Help").status_code == 200, within=3.0)
        not_recorded = requests.get(f"{limited.url}/__calls__", timeout=5)
        no_script = requests.post(f"{limited.url}/__script__", timeout=5)

    assert (concurrent.status_code, "retry-after" in concurrent.headers) == (429, False)
    assert (responses[-1].status_code, responses[-1].headers["retry-after"]) == (429, "1")
    assert b"I am the **fake model**" in responses[0].content  # the default style
    assert [not_recorded.status_code, no_script.status_code] == [404, 404]


def test_two_thousand_calls_can_be_in_flight(model: FakeModel) -> None:
    responses = asyncio.run(call_many(model.url, 2000))

    assert all(response.startswith(b"HTTP/1.1 200 OK") for response in responses)
    assert all(b"[DONE]" in response for response in responses)
    assert model.get("/__calls__?limit=0")["max_in_flight"] > 1500


async def call_many(url: str, calls: int) -> list[bytes]:
    """Return the raw responses to `calls` concurrent calls."""
    address = urlsplit(url)
    body = json.dumps(request_body(CHAT, "Hello [[latency=1.5]]", stream=True)).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )

    async def call() -> bytes:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head.encode() + body)
        response = await reader.read()
        writer.close()
        return response

    return await asyncio.gather(*(call() for _ in range(calls)))


@pytest.mark.parametrize(
    ("module", "number"),
    [(("fakemodel",), signal.SIGTERM), (("manage", "fakemodel"), signal.SIGINT)],
)
def test_a_signal_stops_either_command_at_once(
    module: tuple[str, ...], number: signal.Signals
) -> None:
    with FakeModel("--record", module=module) as model, ExitStack() as open_calls:
        for text in ("[[fault:hang]]", "[[fault:endless rate=5]]", "[[fault:drip]]"):
            open_calls.enter_context(model.open_call(CHAT, text, stream=True))
        wait_until(lambda: model.get("/live")["in_flight"] == 3)
        model.process.signal(number)
        # The calls would never end.
        wait_until(lambda: not model.process.is_running, within=20)
        assert model.process.exit_code == 0
        assert model.process.log.count("\n") == 1


def test_a_port_in_use_is_reported(model: FakeModel) -> None:
    port = str(urlsplit(model.url).port)
    code, output = run_module("fakemodel", "--port", port, env=os.environ)
    assert code == 1
    assert "Address already in use" in output
