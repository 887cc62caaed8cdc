"""The process as a whole: pace, limits, many calls at once, and its end."""

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

from tests.harness.waiting import wait_until
from tests.integration.fakemodel.server import CHAT, PATIENCE, ROOT, FakeModel, body_for

StartModel = Callable[..., FakeModel]


def seconds_of(model: FakeModel, text: str, *, stream: bool = False) -> float:
    begun = time.monotonic()
    model.say(text, stream=stream)
    return time.monotonic() - begun


def test_the_latency_of_the_options_holds_for_every_call(start: StartModel) -> None:
    assert seconds_of(start("--latency", "0.3"), "Hello") >= 0.3


def test_a_message_can_ask_for_its_own_pace(model: FakeModel) -> None:
    assert seconds_of(model, "Hello [[latency=0.3]]") >= 0.3
    # "echo:", "a", "b", "c", "[[rate=10]]": the first token comes at once.
    assert 0.4 <= seconds_of(model, "a b c [[rate=10]]", stream=True) < 3


def test_a_rate_beyond_the_timers_precision_is_kept_on_average(start: StartModel) -> None:
    paced = start("--rate", "2000", "--tokens", "1001")

    assert 0.5 <= seconds_of(paced, "Hello", stream=True) < 3


def test_jitter_varies_the_pace(start: StartModel) -> None:
    varied = start("--latency", "0.1", "--jitter", "0.9")

    taken = [seconds_of(varied, "Hello") for _ in range(8)]

    assert max(taken) - min(taken) > 0.02


def test_a_call_too_many_at_once_is_refused(start: StartModel) -> None:
    limited = start("--concurrency-limit", "1")
    with limited.opened(CHAT, "[[fault:hang]]"):
        wait_until(lambda: limited.get("/live")["in_flight"] == 1)
        refused = limited.post(CHAT, "Hello")

    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    wait_until(lambda: limited.post(CHAT, "Hello").status_code == 200)


def test_a_call_too_many_in_a_minute_is_refused_until_retry_after(start: StartModel) -> None:
    limited = start("--requests-per-minute", "2", "--minute", "1")

    responses = [limited.post(CHAT, "Hello") for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[-1].headers["retry-after"] == "1"
    wait_until(lambda: limited.post(CHAT, "Hello").status_code == 200, within=1.5)


def test_two_thousand_calls_wait_at_once(start: StartModel) -> None:
    model = start("--latency", "1.5", "--style", "echo", "--record")

    answers = asyncio.run(ask_many(model.url, 2000))

    assert all(answer.startswith(b"HTTP/1.1 200 OK") for answer in answers)
    assert all(b"[DONE]" in answer for answer in answers)
    assert model.get("/__calls__?limit=0")["most_in_flight"] > 1500


async def ask_many(url: str, calls: int) -> list[bytes]:
    """The raw answers to so many calls made at once."""
    address = urlsplit(url)
    body = json.dumps(body_for(CHAT, "Hello", stream=True)).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        return answer

    return await asyncio.gather(*(ask() for _ in range(calls)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_quietly(start: StartModel, number: signal.Signals) -> None:
    model = start("--record")
    with ExitStack() as open_calls:
        for text in ("[[fault:hang]]", "[[fault:endless rate=5]]", "[[fault:drip]]"):
            open_calls.enter_context(model.opened(CHAT, text, stream=True))
        wait_until(lambda: model.get("/live")["in_flight"] == 3)
        begun = time.monotonic()
        model.process.send_signal(number)
        _, errors = model.process.communicate(timeout=PATIENCE)

    assert time.monotonic() - begun < 5
    assert (model.process.returncode, errors) == (0, "")


def test_a_taken_port_is_told(start: StartModel) -> None:
    port = str(urlsplit(start().url).port)

    second = subprocess.run(
        [sys.executable, "-m", "fakemodel", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert second.returncode == 1
    assert "Address already in use" in second.stderr


def test_it_needs_no_django() -> None:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fakemodel", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env={name: value for name, value in os.environ.items() if "DJANGO" not in name},
    )

    assert "django" not in found.stderr
    assert "--concurrency-limit" in found.stdout


def test_the_management_command_takes_the_same_options() -> None:
    command = [sys.executable, "manage.py", "fakemodel", "--port", "0", "--style", "echo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("dev model listening on http://127.0.0.1:")
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 0
