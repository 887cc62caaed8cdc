"""The blocking provider in docs/models.md, and how the worker cancels one."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from chat.domain import Completion, FinishReason, Prompt
from chat.domain.errors import ModelTimeout, ModelUnavailable
from chat.providers.base import Item
from chat.providers.blocking import BlockingCall, BlockingProvider
from project.runner.process import ROOT
from tests.harness.ports import free_port
from tests.integration.providers.calls import RunningCall, complete, get_reply
from tests.integration.providers.raw_server import RawServer, read_request, respond
from tests.unit.providers.models import model

RESPONSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello\nyou"


def documented(**fields: Any) -> BlockingProvider:
    """Return the provider whose code is in the docs."""
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "models.md").read_text(), re.DOTALL
    )
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102  # our own documentation
    provider: BlockingProvider = namespace["Shout"](model(**fields))
    return provider


def test_documented_provider_replies() -> None:
    with RawServer(respond(RESPONSE, closes=True)) as server:
        reply, completion = complete(documented(url=server.url))
    assert reply == "HELLOYOU"
    assert completion.finish_reason is FinishReason.STOP


def test_errors_of_requests_are_errors_of_the_provider() -> None:
    with pytest.raises(ModelUnavailable):
        get_reply(documented(url=f"http://127.0.0.1:{free_port()}"))


def test_cancelled_call_closes_its_connection() -> None:
    reached = threading.Event()

    def hang(connection: Any) -> None:
        read_request(connection)
        connection.sendall(RESPONSE[:-3])
        reached.set()

    with RawServer(hang) as server:
        call = RunningCall(documented(url=server.url))
        assert reached.wait(10)
        assert call.has_delta.wait(10)
        assert call.cancel() < 3
        assert server.client_disconnected()


class Failing(BlockingProvider):
    def __init__(self, error: Exception) -> None:
        super().__init__(model())
        self._error = error

    def stream_blocking(self, prompt: Prompt, call: BlockingCall) -> Iterator[Item]:  # noqa: ARG002
        yield "a"
        raise self._error


def test_timeout_of_requests_is_a_model_timeout() -> None:
    with pytest.raises(ModelTimeout):
        get_reply(Failing(requests.ReadTimeout()))


class Sleeping(BlockingProvider):
    """Takes a thread for each call."""

    def stream_blocking(self, prompt: Prompt, call: BlockingCall) -> Iterator[Item]:  # noqa: ARG002
        time.sleep(0.5)
        yield "a"
        yield Completion(finish_reason=FinishReason.STOP)


def test_blocking_calls_run_at_the_same_time() -> None:
    calls = [RunningCall(Sleeping(model())) for _ in range(100)]
    started = time.monotonic()
    assert all(call.has_ended.wait(30) for call in calls)
    assert [call.deltas for call in calls] == [["a"]] * 100
    assert time.monotonic() - started < 10  # one after the other, they take 50 s
