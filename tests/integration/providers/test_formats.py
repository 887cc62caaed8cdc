"""What all formats have in common, against the fake model, streaming and not."""

import pytest

from chat.domain import Completion, FinishReason, Prompt, PromptMessage, Role, UsageSource
from chat.domain.errors import (
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelUnavailable,
    ProviderError,
)
from chat.http.cancellation import CancellableCall
from chat.providers.base import Provider
from chat.providers.errors import LOADING_RETRY_AFTER
from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import FakeModel
from tests.integration.providers.calls import Call, ask
from tests.integration.providers.conftest import Speaker
from tests.unit.providers.models import prompt

TEXT = "echo: hello there, my friend"
HELLO = "hello there, my friend"


def told(provider: Provider, text: str) -> tuple[str, Completion]:
    items = list(provider.stream(prompt(text), CancellableCall()))
    *texts, ending = items
    assert isinstance(ending, Completion)
    assert all(isinstance(text, str) and text for text in texts)
    return "".join(map(str, texts)), ending


def test_a_reply_is_told_with_its_ending(provider: Provider) -> None:
    text, ending = told(provider, HELLO)
    assert text == TEXT
    assert ending.finish_reason is FinishReason.STOP


def test_the_vendors_count_of_tokens_is_taken_over(provider: Provider, form: str) -> None:
    _, ending = told(provider, HELLO)
    if form == "huggingface" and not provider.model.stream:
        assert ending.usage is None  # the plain format has none
    else:
        assert ending.usage is not None
        assert ending.usage.source is UsageSource.PROVIDER
        assert ending.usage.completion_tokens > 0
        assert ending.usage.prompt_tokens > 0


def test_a_vendor_that_counts_nothing_is_told_apart(provider: Provider, form: str) -> None:
    text, ending = told(provider, f"[[fault:no_usage]] {HELLO}")
    assert text
    assert ending.usage is None or form == "huggingface"


def test_a_stream_is_told_piece_by_piece(speaker: Speaker, form: str) -> None:
    assert len(list(speaker(form).stream(prompt(HELLO), CancellableCall()))) > 4


def test_the_whole_conversation_is_shown_to_the_model(
    provider: Provider, fake_model: FakeModel
) -> None:
    asked = Prompt(
        messages=[
            PromptMessage(role=Role.SYSTEM, content="Be a pirate."),
            PromptMessage(role=Role.USER, content="one"),
            PromptMessage(role=Role.ASSISTANT, content="two"),
            PromptMessage(role=Role.USER, content="three"),
        ]
    )
    assert ask(provider, asked) == "echo: three"
    assert fake_model.calls()[-1]["status"] == 200


def test_a_reply_cut_by_its_bound_says_so(speaker: Speaker, form: str) -> None:
    ending = told(speaker(form), "[[fault:length]] hello")[1]
    assert ending.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("form", ["openai", "completions"])
def test_a_filtered_reply_says_so(provider: Provider) -> None:
    ending = told(provider, "[[fault:content_filter]] hello")[1]
    assert ending.finish_reason is FinishReason.CONTENT_FILTER


ODD = ["unknown_fields", "unusual_sse", "split", "close_delimited"]


@pytest.mark.parametrize("fault", ODD)
def test_odd_but_valid_answers_are_understood(provider: Provider, fault: str) -> None:
    text, ending = told(provider, f"[[fault:{fault}]] {HELLO}")
    assert text == f"echo: [[fault:{fault}]] {HELLO}"
    assert ending.finish_reason is FinishReason.STOP


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
    "lone_surrogate": ModelInvalidResponse,
    "empty_body": ModelInvalidResponse,
    "wrong_content_type": ModelInvalidResponse,
    "gzip_bomb": ModelInvalidResponse,
    "long_line": ModelInvalidResponse,
    "empty_reply": ModelInvalidResponse,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_error_and_no_ending(provider: Provider, fault: str) -> None:
    items: list[object] = []
    with pytest.raises(ProviderError) as caught:
        items.extend(provider.stream(prompt(f"[[fault:{fault}]] {HELLO}"), CancellableCall()))
    assert type(caught.value) is FAULTS[fault]
    assert caught.value.message in {
        FAULTS[fault].__doc__,
        "The model's reply ended unexpectedly.",
        "The model returned an empty reply.",
        "The model sent no valid finish reason.",
    }
    assert not any(isinstance(item, Completion) for item in items)


@pytest.mark.parametrize("form", ["openai", "completions"])
def test_a_stream_without_its_end_marker_has_not_ended(speaker: Speaker, form: str) -> None:
    with pytest.raises(ModelInvalidResponse):
        ask(speaker(form), prompt("[[fault:no_done]] hello"))


def test_a_document_of_50_mb_is_not_read_to_its_end(
    speaker: Speaker, form: str, fake_model: FakeModel
) -> None:
    with pytest.raises(ModelInvalidResponse):
        ask(speaker(form, stream=False), prompt("[[fault:huge]] hello"))
    wait_until(lambda: fake_model.calls()[-1]["finished_at"])
    call = fake_model.calls()[-1]
    assert call["client_disconnected"]
    assert call["bytes_sent"] < 20_000_000


@pytest.mark.parametrize(
    ("words", "seconds"), [("retry_after=7", 7.0), ("retry_after_date=30", 30.0), ("", None)]
)
def test_the_wait_that_the_vendor_asks_for_is_told(
    provider: Provider, words: str, seconds: float | None
) -> None:
    with pytest.raises(ModelRateLimited) as caught:
        ask(provider, prompt(f"[[fault:429 {words}]] hello"))
    if seconds is None:
        assert caught.value.retry_after is None
    else:
        assert caught.value.retry_after == pytest.approx(seconds, abs=1.1)


@pytest.mark.parametrize("name", ["openai", "completions"])
def test_loading_uses_no_attempt_where_the_format_has_no_time(speaker: Speaker, name: str) -> None:
    with pytest.raises(ModelLoading) as caught:
        ask(speaker(name), prompt("[[fault:loading estimated_time=2]]"))
    assert caught.value.retry_after == LOADING_RETRY_AFTER
    assert not caught.value.counts_as_attempt


def test_a_loading_model_says_when(speaker: Speaker, stream: bool) -> None:
    with pytest.raises(ModelLoading) as caught:
        ask(speaker("huggingface", stream=stream), prompt("[[fault:loading estimated_time=12.5]]"))
    assert caught.value.retry_after == 12.5


def test_a_conversation_that_is_too_long_is_told_apart(speaker: Speaker, stream: bool) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(
            speaker("openai", stream=stream), prompt("[[fault:400 code=context_length_exceeded]] x")
        )
    assert caught.value.code == "context_too_long"


@pytest.mark.parametrize("fault", ["hang", "stall after=0", "stall after=2", "drip byte_rate=5"])
def test_a_closed_call_stops_the_model(
    provider: Provider, fake_model: FakeModel, fault: str
) -> None:
    call = Call(provider, prompt(f"[[fault:{fault}]] {HELLO}"))
    wait_until(fake_model.calls)
    assert call.close() < 0.5
    assert wait_until(lambda: fake_model.calls()[-1]["client_disconnected"], within=2)


def test_a_reply_is_told_after_any_fault(speaker: Speaker, form: str) -> None:
    provider = speaker(form)
    for fault in [
        "cut after=1",
        "invalid_json after=1",
        "429",
        "invalid_utf8",
        "html",
        "long_line",
    ]:
        with pytest.raises(ProviderError):
            ask(provider, prompt(f"[[fault:{fault}]] hello"))
        assert ask(provider, prompt(HELLO)) == TEXT


def test_a_probe_is_one_small_call(provider: Provider, fake_model: FakeModel) -> None:
    provider.probe()
    assert len(fake_model.calls()) == 1


def test_a_probe_fails_where_a_call_would(
    speaker: Speaker, form: str, fake_model: FakeModel
) -> None:
    fake_model.script({"fault": "401"})
    with pytest.raises(ModelBadRequest):
        speaker(form).probe()
