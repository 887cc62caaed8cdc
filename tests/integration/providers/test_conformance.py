"""One suite against every imitated server, with the entries of docs/your-model.md."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chat.domain import Completion, FinishReason, Model, Prompt, Reasoning, UsageSource
from chat.domain.errors import (
    ContextTooLong,
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelUnavailable,
    ProviderError,
)
from chat.providers.base import Provider
from chat.providers.registry import provider_for
from fakemodel.replies.compose import REASONING
from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import FakeModel
from tests.integration.providers.calls import (
    RunningCall,
    Stream,
    items_of,
)
from tests.integration.providers.documented import documented_model
from tests.unit.providers.models import prompt

HELLO = "hello there, my friend"
REPLY = f"echo: {HELLO}"

# Servers whose errors or replies differ from the majority.
ENTRIES = {"vllm-earlier": "vllm"}
HIDES_REASONING = {"openai", "azure", "anthropic", "tgi"}
HAS_NO_FILTER = {"mistral", "tgi"}
MAX_STOPS = {"openai": 4, "azure": 4, "groq": 4, "tgi": 4}
TOO_LONG: dict[str, type[ProviderError]] = {"transformers": ModelUnavailable}  # a plain 500
LOADING: dict[str, type[ProviderError]] = {"llamacpp": ModelLoading, "lmstudio": ModelLoading}
WITH_STATUS_200: dict[str, type[ProviderError]] = {"transformers": ModelInvalidResponse}  # a text
# Ollama ends the stream instead of sending an error.
IN_STREAM: dict[str, type[ProviderError]] = {"ollama": ModelInvalidResponse}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    name: str
    fake: FakeModel
    model: Model

    def provider(self, **fields: Any) -> Provider:
        """Return a provider for the documented entry with other `fields`."""
        return provider_for(replace(self.model, **fields))


@pytest.fixture
def server(imitation: tuple[str, FakeModel], tmp_path: Path) -> Server:
    name, fake = imitation
    fake.reset()
    model = documented_model(ENTRIES.get(name, name), fake.url, tmp_path)
    return Server(name=name, fake=fake, model=replace(model, name=name))


@dataclass(slots=True)
class Received:
    """What a provider yielded."""

    deltas: list[str]
    reasoning: str
    completion: Completion

    @property
    def text(self) -> str:
        return "".join(self.deltas)


def receive(provider: Provider, asked: Prompt) -> Received:
    items = items_of(provider, asked)
    *others, completion = items
    assert isinstance(completion, Completion)
    assert not any(isinstance(item, Completion) for item in others)
    return Received(
        deltas=[item for item in others if isinstance(item, str)],
        reasoning="".join(item.text for item in others if isinstance(item, Reasoning)),
        completion=completion,
    )


def fail(provider: Provider, text: str) -> tuple[ProviderError, str]:
    """Return the error of a call, and the text before it."""
    items: list[object] = []
    with pytest.raises(ProviderError) as caught:
        items.extend(Stream(provider, prompt(text)))
    return caught.value, "".join(item for item in items if isinstance(item, str))


def test_a_reply_has_text_finish_reason_and_usage(server: Server, stream: bool) -> None:
    received = receive(server.provider(stream=stream), prompt(HELLO))

    assert received.text == REPLY
    assert received.completion.finish_reason is FinishReason.STOP
    assert received.completion.usage is not None
    assert received.completion.usage.source is UsageSource.PROVIDER
    assert (received.completion.usage.prompt_tokens, received.completion.usage.total_tokens) == (
        9,
        14,
    )


def test_all_options_are_accepted(server: Server, stream: bool) -> None:
    options = {"temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ("never",)}
    received = receive(server.provider(stream=stream), prompt(HELLO, **options))

    assert received.text == REPLY
    (call,) = server.fake.calls()
    assert (call["model"], call["stream"], call["status"]) == (server.model.model, stream, 200)


def test_deltas_arrive_one_by_one(server: Server) -> None:
    received = receive(server.provider(), prompt(HELLO))

    assert received.deltas == ["echo:", " hello", " there,", " my", " friend"]


def test_the_first_delta_arrives_before_the_last_is_sent(server: Server) -> None:
    started = time.monotonic()
    deltas = Stream(server.provider(), prompt(f"[[rate=4]] {HELLO}"))

    first = next(item for item in deltas if isinstance(item, str))

    assert first == "echo:"
    assert time.monotonic() - started < 1  # the whole reply takes 1.25 s


def test_a_reply_without_usage_has_none(server: Server, stream: bool) -> None:
    received = receive(server.provider(stream=stream), prompt(f"[[fault:no_usage]] {HELLO}"))

    assert received.text.endswith(HELLO)
    assert received.completion.usage is None


def test_closing_a_stream_stops_the_model(server: Server) -> None:
    call = RunningCall(server.provider(), prompt(f"[[fault:stall after=2]] {HELLO}"))
    assert call.has_delta.wait(10)

    call.cancel()

    assert wait_until(lambda: server.fake.calls()[-1]["client_disconnected"], within=2)


def test_closing_before_the_response_stops_the_model(server: Server, stream: bool) -> None:
    call = RunningCall(server.provider(stream=stream), prompt(f"[[fault:hang]] {HELLO}"))
    wait_until(server.fake.calls)

    call.cancel()

    assert wait_until(lambda: server.fake.calls()[-1]["client_disconnected"], within=2)


def test_a_stop_sequence_ends_the_reply(server: Server, stream: bool) -> None:
    received = receive(server.provider(stream=stream), prompt(HELLO, stop=("friend",)))

    assert received.text == "echo: hello there, my "
    assert received.completion.finish_reason is FinishReason.STOP


def test_more_stop_sequences_than_the_server_accepts(server: Server, stream: bool) -> None:
    stops = ("1", "2", "3", "4", "friend")

    received = receive(server.provider(stream=stream), prompt(HELLO, stop=stops))

    assert received.text == "echo: hello there, my "
    assert received.completion.finish_reason is FinishReason.STOP
    sent = server.fake.calls()[-1]["parameters"]["stop"]
    assert len(sent) <= MAX_STOPS.get(server.name, len(stops))


def test_the_token_limit_ends_the_reply(server: Server, stream: bool) -> None:
    received = receive(server.provider(stream=stream), prompt(HELLO, max_tokens=2))

    assert received.text == "echo: hello"
    assert received.completion.finish_reason is FinishReason.LENGTH


def test_a_filter_ends_the_reply(server: Server, stream: bool) -> None:
    received = receive(server.provider(stream=stream), prompt("[[fault:content_filter after=1]]"))

    has_filter = server.name not in HAS_NO_FILTER
    assert received.text == "echo:"
    assert received.completion.finish_reason is (
        FinishReason.CONTENT_FILTER if has_filter else FinishReason.STOP
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ModelBadRequest),
        (503, ModelUnavailable),
        pytest.param(401, ModelBadRequest, marks=pytest.mark.thorough),
        pytest.param(404, ModelBadRequest, marks=pytest.mark.thorough),
        pytest.param(500, ModelUnavailable, marks=pytest.mark.thorough),
    ],
)
def test_an_error_response(
    server: Server, stream: bool, status: int, expected: type[ProviderError]
) -> None:
    if status == 503:
        expected = LOADING.get(server.name, expected)

    error, text = fail(server.provider(stream=stream), f"[[fault:{status}]]")

    assert (type(error), text) == (expected, "")


@pytest.mark.parametrize("after", [0, 2])
def test_an_error_in_a_stream(server: Server, after: int) -> None:
    error, text = fail(server.provider(), f"[[fault:error_event after={after}]] {HELLO}")

    assert type(error) is IN_STREAM.get(server.name, ModelUnavailable)
    assert text == ("echo: [[fault:error_event" if after else "")


def test_an_error_with_status_200(server: Server) -> None:
    error, text = fail(server.provider(stream=False), "[[fault:error_event]]")

    expected = WITH_STATUS_200.get(server.name, ModelUnavailable)
    assert (type(error), text) == (expected, "")


def test_a_prompt_that_is_too_long(server: Server, stream: bool) -> None:
    error, text = fail(server.provider(stream=stream), "[[fault:too_long]]")

    assert (type(error), text) == (TOO_LONG.get(server.name, ContextTooLong), "")


def test_a_rate_limit_with_a_delay(server: Server, stream: bool) -> None:
    error, _ = fail(server.provider(stream=stream), "[[fault:429 retry_after=7]]")

    assert type(error) is ModelRateLimited
    assert error.retry_after == pytest.approx(7, abs=1.1)


def test_a_rate_limit_without_a_delay(server: Server, stream: bool) -> None:
    error, _ = fail(server.provider(stream=stream), "[[fault:429]]")

    assert (type(error), error.retry_after) == (ModelRateLimited, None)


def test_reasoning_is_not_part_of_the_reply(server: Server, stream: bool) -> None:
    received = receive(server.provider(stream=stream), prompt("Hello [[reasoning]]"))

    assert received.text == "echo: Hello [[reasoning]]"
    assert received.reasoning == ("" if server.name in HIDES_REASONING else REASONING)


def test_think_tags_are_removed_from_the_reply(server: Server, stream: bool) -> None:
    asked = prompt("Hello [[think]]")

    with_tags = receive(server.provider(stream=stream, think_tags=False), asked)
    without = receive(server.provider(stream=stream, think_tags=True), asked)

    assert with_tags.text == f"<think>\n{REASONING}\n</think>\n\necho: Hello [[think]]"
    assert without.text == "echo: Hello [[think]]"
    assert without.reasoning.strip() == REASONING
