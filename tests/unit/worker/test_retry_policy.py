"""Outcomes of turns after model calls that did not complete."""

from dataclasses import replace

import pytest

from chat.domain import FinishReason, Model, Outcome, Retry, Status, StopCause, WaitReason
from chat.domain.errors import (
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelUnavailable,
    ProviderError,
)
from chat.settings import chat_settings
from chat.worker import retry_policy
from tests.unit.conversation.test_context_window import claim, user

MODEL = Model(name="main", provider="openai", url="http://127.0.0.1/v1")
WITH_FALLBACK = replace(MODEL, fallback="spare")
FIRST = claim(user(1, "hi"))
LAST = replace(FIRST, attempt=chat_settings.MAX_ATTEMPTS)


def test_retry_after_is_respected_and_uses_no_attempt() -> None:
    outcome = retry_policy.after_error(
        LAST, MODEL, ModelRateLimited(retry_after=7), has_output=False
    )
    assert isinstance(outcome, Retry)
    assert (outcome.delay, outcome.uses_attempt) == (7, False)
    assert outcome.reason is WaitReason.RATE_LIMITED


def test_loading_model_is_retried() -> None:
    outcome = retry_policy.after_error(FIRST, MODEL, ModelLoading(retry_after=20), has_output=False)
    assert isinstance(outcome, Retry)
    assert outcome.reason is WaitReason.MODEL_LOADING


def test_rate_limit_without_retry_after_uses_an_attempt() -> None:
    outcome = retry_policy.after_error(FIRST, MODEL, ModelRateLimited(), has_output=False)
    assert isinstance(outcome, Retry)
    assert outcome.uses_attempt


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_retry_after_of_zero_uses_attempts(
    seconds: float,
) -> None:
    error = ModelRateLimited(retry_after=seconds)
    outcome = retry_policy.after_error(FIRST, MODEL, error, has_output=False)
    assert isinstance(outcome, Retry)
    assert outcome.uses_attempt
    assert outcome.delay >= seconds
    last = retry_policy.after_error(LAST, MODEL, error, has_output=False)
    assert isinstance(last, Outcome)
    assert last.status is Status.FAILED


@pytest.mark.parametrize("attempt", [1, 2])
def test_backoff_doubles_with_full_jitter(attempt: int) -> None:
    claimed = replace(FIRST, attempt=attempt)
    delays = []
    for _ in range(200):
        outcome = retry_policy.after_error(claimed, MODEL, ModelUnavailable(), has_output=False)
        assert isinstance(outcome, Retry)
        delays.append(outcome.delay)
    assert 0 <= min(delays) < max(delays) <= 2**attempt


def test_turn_fails_after_the_last_attempt() -> None:
    outcome = retry_policy.after_error(LAST, MODEL, ModelUnavailable(), has_output=False)
    assert isinstance(outcome, Outcome)
    assert outcome.status is Status.FAILED
    assert outcome.error
    assert outcome.error.code == "model_unavailable"


def test_no_retry_after_the_deadline() -> None:
    error = ModelRateLimited(retry_after=FIRST.seconds_left + 1)
    outcome = retry_policy.after_error(FIRST, MODEL, error, has_output=False)
    assert isinstance(outcome, Outcome)
    assert outcome.status is Status.FAILED


@pytest.mark.parametrize("error", [ModelBadRequest(), ModelInvalidResponse()])
def test_fallback_is_called_after_a_failure(error: ProviderError) -> None:
    outcome = retry_policy.after_error(LAST, WITH_FALLBACK, error, has_output=False)
    assert isinstance(outcome, Retry)
    assert (outcome.model, outcome.delay, outcome.uses_attempt) == ("spare", 0, False)


def test_output_before_a_failure_is_kept() -> None:
    outcome = retry_policy.after_error(FIRST, WITH_FALLBACK, ModelUnavailable(), has_output=True)
    assert isinstance(outcome, Outcome)
    assert outcome.status is Status.INCOMPLETE
    assert outcome.finish_reason is FinishReason.ERROR


@pytest.mark.parametrize("cause", [StopCause.LOST, StopCause.WRITE_FAILED])
def test_turn_that_cannot_be_written_is_abandoned(cause: StopCause) -> None:
    decision = retry_policy.after_stop(FIRST, MODEL, cause, has_output=True)
    assert isinstance(decision, retry_policy.Abandon)


@pytest.mark.parametrize(
    ("cause", "has_output", "status"),
    [
        (StopCause.CANCELLED, False, Status.CANCELLED),
        (StopCause.CANCELLED, True, Status.CANCELLED),
        (StopCause.TOO_LONG, True, Status.INCOMPLETE),
        (StopCause.DEADLINE, True, Status.INCOMPLETE),
        (StopCause.DEADLINE, False, Status.FAILED),
        (StopCause.EVENT_TIMEOUT, True, Status.INCOMPLETE),
    ],
)
def test_stopped_call_ends_the_turn(cause: StopCause, has_output: bool, status: Status) -> None:
    outcome = retry_policy.after_stop(FIRST, MODEL, cause, has_output=has_output)
    assert isinstance(outcome, Outcome)
    assert outcome.status is status


def test_timeout_before_any_text_is_retried() -> None:
    outcome = retry_policy.after_stop(FIRST, MODEL, StopCause.EVENT_TIMEOUT, has_output=False)
    assert isinstance(outcome, Retry)
    assert outcome.uses_attempt


def test_draining_worker_hands_the_turn_back() -> None:
    outcome = retry_policy.after_stop(FIRST, MODEL, StopCause.DRAIN, has_output=True)
    assert isinstance(outcome, Retry)
    assert (outcome.delay, outcome.uses_attempt) == (0, False)
