"""The process: speed, limits, concurrency, signals."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import CHAT, ROOT, TIMEOUT, FakeModel, request_body

StartModel = Callable[..., FakeModel]


def seconds_of(model: FakeModel, text: str, *, stream: bool = False) -> float:
    started = time.monotonic()
    model.ask(text, stream=stream)
    return time.monotonic() - started


def test_latency_delays_every_call(start: StartModel) -> None:
    assert seconds_of(start("--latency", "0.3"), "Hello") >= 0.3


def test_a_message_can_set_latency_and_rate(model: FakeModel) -> None:
    assert seconds_of(model, "Hello [[latency=0.3]]") >= 0.3
    # "echo:", "a", "b", "c", "[[rate=10]]": the first token comes at once.
    assert 0.4 <= seconds_of(model, "a b c [[rate=10]]", stream=True) < 3


def test_a_high_rate_is_accurate_on_average(start: StartModel) -> None:
    paced = start("--rate", "2000", "--tokens", "1001")

    assert 0.5 <= seconds_of(paced, "Hello", stream=True) < 3


def test_jitter_varies_the_latency(start: StartModel) -> None:
    varied = start("--latency", "0.1", "--jitter", "0.9")

    taken = [seconds_of(varied, "Hello") for _ in range(8)]

    assert max(taken) - min(taken) > 0.02


def test_calls_above_the_concurrency_limit_get_429(start: StartModel) -> None:
    limited = start("--concurrency-limit", "1")
    with limited.open_call(CHAT, "[[fault:hang]]"):
        wait_until(lambda: limited.get("/live")["in_flight"] == 1)
        rejected = limited.post(CHAT, "Hello")

    assert rejected.status_code == 429
    assert "retry-after" not in rejected.headers
    wait_until(lambda: limited.post(CHAT, "Hello").status_code == 200)


def test_calls_above_the_rate_limit_get_429_until_retry_after(start: StartModel) -> None:
    limited = start("--requests-per-minute", "2", "--rate-limit-window", "1")

    responses = [limited.post(CHAT, "Hello") for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[-1].headers["retry-after"] == "1"
    wait_until(lambda: limited.post(CHAT, "Hello").status_code == 200, within=1.5)


def test_two_thousand_calls_can_be_in_flight(start: StartModel) -> None:
    model = start("--latency", "1.5", "--style", "echo", "--record")

    responses = asyncio.run(call_many(model.url, 2000))

    assert all(response.startswith(b"HTTP/1.1 200 OK") for response in responses)
    assert all(b"[DONE]" in response for response in responses)
    assert model.get("/__calls__?limit=0")["max_in_flight"] > 1500


async def call_many(url: str, calls: int) -> list[bytes]:
    """Return the raw responses to `calls` concurrent calls."""
    address = urlsplit(url)
    body = json.dumps(request_body(CHAT, "Hello", stream=True)).encode()
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_at_once(start: StartModel, number: signal.Signals) -> None:
    model = start("--record")
    with ExitStack() as open_calls:
        for text in ("[[fault:hang]]", "[[fault:endless rate=5]]", "[[fault:drip]]"):
            open_calls.enter_context(model.open_call(CHAT, text, stream=True))
        wait_until(lambda: model.get("/live")["in_flight"] == 3)
        started = time.monotonic()
        model.process.send_signal(number)
        _, errors = model.process.communicate(timeout=TIMEOUT)

    assert time.monotonic() - started < 5
    assert (model.process.returncode, errors) == (0, "")


def test_a_port_in_use_is_reported(start: StartModel) -> None:
    port = str(urlsplit(start().url).port)

    second = subprocess.run(
        [sys.executable, "-m", "fakemodel", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )

    assert second.returncode == 1
    assert "Address already in use" in second.stderr


def test_the_server_does_not_import_django() -> None:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fakemodel", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
        env={name: value for name, value in os.environ.items() if "DJANGO" not in name},
    )

    assert "django" not in found.stderr
    assert "--concurrency-limit" in found.stdout


def test_the_management_command_has_the_same_options() -> None:
    command = [sys.executable, "manage.py", "fakemodel", "--port", "0", "--style", "echo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Fake model listening on http://127.0.0.1:")
        process.terminate()
        assert process.wait(timeout=TIMEOUT) == 0
