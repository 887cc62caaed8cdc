"""Behaviour that all formats share, with the fake model, streaming and not."""

import pytest

from chat.domain import (
    Completion,
    FinishReason,
    Prompt,
    PromptMessage,
    Reasoning,
    Role,
    UsageSource,
)
from chat.domain.errors import (
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelUnavailable,
    ProviderError,
)
from chat.providers.base import Provider
from chat.providers.errors import LOADING_RETRY_AFTER
from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import FakeModel
from tests.integration.providers.calls import (
    RunningCall,
    Stream,
    get_reply,
    items_of,
)
from tests.integration.providers.conftest import BuildProvider
from tests.unit.providers.models import prompt

TEXT = "echo: hello there, my friend"
HELLO = "hello there, my friend"


def read_stream(provider: Provider, text: str) -> tuple[str, Completion]:
    *items, completion = items_of(provider, prompt(text))
    assert isinstance(completion, Completion)
    assert all(isinstance(item, Reasoning) or item for item in items)
    return "".join(item for item in items if isinstance(item, str)), completion


def test_reply_ends_with_a_completion(provider: Provider) -> None:
    text, completion = read_stream(provider, HELLO)
    assert text == TEXT
    assert completion.finish_reason is FinishReason.STOP


def test_vendors_token_count_is_used(provider: Provider, wire_format: str) -> None:
    _, completion = read_stream(provider, HELLO)
    if wire_format == "huggingface" and not provider.model.stream:
        assert completion.usage is None  # the plain format has none
    else:
        assert completion.usage is not None
        assert completion.usage.source is UsageSource.PROVIDER
        assert completion.usage.completion_tokens > 0
        assert completion.usage.prompt_tokens > 0


def test_missing_token_count_is_none(provider: Provider, wire_format: str) -> None:
    text, completion = read_stream(provider, f"[[fault:no_usage]] {HELLO}")
    assert text
    assert completion.usage is None or wire_format == "huggingface"


def test_stream_yields_several_deltas(build_provider: BuildProvider, wire_format: str) -> None:
    assert len(items_of(build_provider(wire_format), prompt(HELLO))) > 4


def test_model_gets_the_whole_conversation(provider: Provider, fake_model: FakeModel) -> None:
    question = Prompt(
        messages=[
            PromptMessage(role=Role.SYSTEM, content="Be a pirate."),
            PromptMessage(role=Role.USER, content="one"),
            PromptMessage(role=Role.ASSISTANT, content="two"),
            PromptMessage(role=Role.USER, content="three"),
        ]
    )
    assert get_reply(provider, question) == "echo: three"
    assert fake_model.calls()[-1]["status"] == 200


def test_truncated_reply_has_finish_reason_length(
    build_provider: BuildProvider, wire_format: str
) -> None:
    completion = read_stream(build_provider(wire_format), "[[fault:length]] hello")[1]
    assert completion.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("wire_format", ["openai", "completions"])
def test_filtered_reply_has_finish_reason_content_filter(provider: Provider) -> None:
    completion = read_stream(provider, "[[fault:content_filter]] hello")[1]
    assert completion.finish_reason is FinishReason.CONTENT_FILTER


UNUSUAL = [
    *("unknown_fields", "unusual_sse", "split", "close_delimited"),
    *("wrong_content_type", "no_done"),
]


@pytest.mark.parametrize("fault", UNUSUAL)
def test_unusual_responses_are_read(provider: Provider, fault: str) -> None:
    text, completion = read_stream(provider, f"[[fault:{fault}]] {HELLO}")
    assert text == f"echo: [[fault:{fault}]] {HELLO}"
    assert completion.finish_reason is FinishReason.STOP


def test_half_a_character_is_replaced(provider: Provider) -> None:
    text, completion = read_stream(provider, f"[[fault:lone_surrogate]] {HELLO}")
    assert "\ufffd" in text
    assert completion.finish_reason is FinishReason.STOP


FAULTS: dict[str, type[ProviderError]] = {
    "400": ModelBadRequest,
    "401": ModelBadRequest,
    "403": ModelBadRequest,
    "404": ModelBadRequest,
    "422": ModelBadRequest,
    "redirect": ModelBadRequest,
    "429": ModelRateLimited,
    "409": ModelUnavailable,
    "500": ModelUnavailable,
    "503": ModelUnavailable,
    "loading": ModelLoading,
    "disconnect": ModelUnavailable,
    "cut after=2": ModelUnavailable,
    "cut after=0": ModelUnavailable,
    "reset after=2": ModelUnavailable,
    "error_event after=0": ModelUnavailable,
    "error_event after=2": ModelUnavailable,
    "no_finish_reason": ModelInvalidResponse,
    "no_finish_reason after=2": ModelInvalidResponse,
    "not_http": ModelInvalidResponse,
    "html": ModelInvalidResponse,
    "invalid_json after=1": ModelInvalidResponse,
    "invalid_utf8": ModelInvalidResponse,
    "empty_body": ModelInvalidResponse,
    "gzip_bomb": ModelInvalidResponse,
    "long_line": ModelInvalidResponse,
    "empty_reply": ModelInvalidResponse,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_an_error_and_no_completion(provider: Provider, fault: str) -> None:
    items: list[object] = []
    with pytest.raises(ProviderError) as caught:
        items.extend(Stream(provider, prompt(f"[[fault:{fault}]] {HELLO}")))
    assert type(caught.value) is FAULTS[fault]
    assert caught.value.message in {
        FAULTS[fault].__doc__,
        "The model's reply ended unexpectedly.",
        "The model returned an empty reply.",
        "The model sent no valid finish reason.",
    }
    assert not any(isinstance(item, Completion) for item in items)


def test_50_mb_document_is_not_read_to_its_end(
    build_provider: BuildProvider, wire_format: str, fake_model: FakeModel
) -> None:
    with pytest.raises(ModelInvalidResponse):
        get_reply(build_provider(wire_format, stream=False), prompt("[[fault:huge]] hello"))
    wait_until(lambda: fake_model.calls()[-1]["finished_at"])
    call = fake_model.calls()[-1]
    assert call["client_disconnected"]
    assert call["bytes_sent"] < 20_000_000


@pytest.mark.parametrize(
    ("options", "seconds"), [("retry_after=7", 7.0), ("retry_after_date=30", 30.0), ("", None)]
)
def test_retry_after_is_reported(provider: Provider, options: str, seconds: float | None) -> None:
    with pytest.raises(ModelRateLimited) as caught:
        get_reply(provider, prompt(f"[[fault:429 {options}]] hello"))
    if seconds is None:
        assert caught.value.retry_after is None
    else:
        assert caught.value.retry_after == pytest.approx(seconds, abs=1.1)


@pytest.mark.parametrize("name", ["openai", "completions"])
def test_loading_without_estimate_uses_no_attempt(build_provider: BuildProvider, name: str) -> None:
    with pytest.raises(ModelLoading) as caught:
        get_reply(build_provider(name), prompt("[[fault:loading estimated_time=2]]"))
    assert caught.value.retry_after == LOADING_RETRY_AFTER
    assert not caught.value.counts_as_attempt


def test_loading_model_reports_its_estimate(build_provider: BuildProvider, stream: bool) -> None:
    with pytest.raises(ModelLoading) as caught:
        get_reply(
            build_provider("huggingface", stream=stream),
            prompt("[[fault:loading estimated_time=12.5]]"),
        )
    assert caught.value.retry_after == 12.5


def test_too_long_conversation_is_reported(build_provider: BuildProvider, stream: bool) -> None:
    with pytest.raises(ProviderError) as caught:
        get_reply(
            build_provider("openai", stream=stream),
            prompt("[[fault:400 code=context_length_exceeded]] x"),
        )
    assert caught.value.code == "context_too_long"


@pytest.mark.parametrize("fault", ["hang", "stall after=0", "stall after=2", "drip byte_rate=5"])
def test_cancelled_call_stops_the_model(
    provider: Provider, fake_model: FakeModel, fault: str
) -> None:
    call = RunningCall(provider, prompt(f"[[fault:{fault}]] {HELLO}"))
    wait_until(fake_model.calls)
    assert call.cancel() < 0.5
    assert wait_until(lambda: fake_model.calls()[-1]["client_disconnected"], within=2)


def test_reply_succeeds_after_any_fault(build_provider: BuildProvider, wire_format: str) -> None:
    provider = build_provider(wire_format)
    for fault in [
        "cut after=1",
        "invalid_json after=1",
        "429",
        "invalid_utf8",
        "html",
        "long_line",
    ]:
        with pytest.raises(ProviderError):
            get_reply(provider, prompt(f"[[fault:{fault}]] hello"))
        assert get_reply(provider, prompt(HELLO)) == TEXT


def test_check_makes_one_call(provider: Provider, fake_model: FakeModel) -> None:
    provider.check()
    assert len(fake_model.calls()) == 1


def test_check_fails_like_a_call(
    build_provider: BuildProvider, wire_format: str, fake_model: FakeModel
) -> None:
    fake_model.script({"fault": "401"})
    with pytest.raises(ModelBadRequest):
        build_provider(wire_format).check()
