"""What becomes of a turn after a model call that did not simply end."""

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


def test_a_vendors_retry_after_is_heeded_and_uses_no_attempt() -> None:
    verdict = retry_policy.after_error(
        LAST, MODEL, ModelRateLimited(retry_after=7), has_output=False
    )
    assert isinstance(verdict, Retry)
    assert (verdict.delay, verdict.uses_attempt) == (7, False)
    assert verdict.reason is WaitReason.RATE_LIMITED


def test_a_loading_model_is_waited_for() -> None:
    verdict = retry_policy.after_error(FIRST, MODEL, ModelLoading(retry_after=20), has_output=False)
    assert isinstance(verdict, Retry)
    assert verdict.reason is WaitReason.MODEL_LOADING


def test_a_rate_limit_without_a_time_uses_an_attempt() -> None:
    verdict = retry_policy.after_error(FIRST, MODEL, ModelRateLimited(), has_output=False)
    assert isinstance(verdict, Retry)
    assert verdict.uses_attempt


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_retry_after_zero_does_not_cause_endless_calls(
    seconds: float,
) -> None:
    error = ModelRateLimited(retry_after=seconds)
    verdict = retry_policy.after_error(FIRST, MODEL, error, has_output=False)
    assert isinstance(verdict, Retry)
    assert verdict.uses_attempt
    assert verdict.delay >= seconds
    last = retry_policy.after_error(LAST, MODEL, error, has_output=False)
    assert isinstance(last, Outcome)
    assert last.status is Status.FAILED


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_back_off_doubles_with_full_jitter(attempt: int) -> None:
    tried = replace(FIRST, attempt=attempt)
    delays = []
    for _ in range(200):
        verdict = retry_policy.after_error(tried, MODEL, ModelUnavailable(), has_output=False)
        assert isinstance(verdict, Retry)
        delays.append(verdict.delay)
    assert 0 <= min(delays) < max(delays) <= 2**attempt


def test_turn_fails_with_the_error_of_its_last_attempt() -> None:
    verdict = retry_policy.after_error(LAST, MODEL, ModelUnavailable(), has_output=False)
    assert isinstance(verdict, Outcome)
    assert verdict.status is Status.FAILED
    assert verdict.error
    assert verdict.error.code == "model_unavailable"


def test_a_retry_later_than_the_deadline_is_not_waited_for() -> None:
    error = ModelRateLimited(retry_after=FIRST.seconds_left + 1)
    verdict = retry_policy.after_error(FIRST, MODEL, error, has_output=False)
    assert isinstance(verdict, Outcome)
    assert verdict.status is Status.FAILED


@pytest.mark.parametrize("error", [ModelBadRequest(), ModelInvalidResponse()])
def test_the_fallback_is_asked_when_the_model_cannot(error: ProviderError) -> None:
    verdict = retry_policy.after_error(LAST, WITH_FALLBACK, error, has_output=False)
    assert isinstance(verdict, Retry)
    assert (verdict.model, verdict.delay, verdict.uses_attempt) == ("spare", 0, False)


def test_what_was_said_before_a_failure_is_kept() -> None:
    verdict = retry_policy.after_error(FIRST, WITH_FALLBACK, ModelUnavailable(), has_output=True)
    assert isinstance(verdict, Outcome)
    assert verdict.status is Status.INCOMPLETE
    assert verdict.finish_reason is FinishReason.ERROR


def test_a_lost_lease_writes_nothing() -> None:
    assert retry_policy.after_stop(FIRST, MODEL, StopCause.LOST, has_output=True) is None


@pytest.mark.parametrize(
    ("cause", "has_said", "status"),
    [
        (StopCause.CANCELLED, False, Status.CANCELLED),
        (StopCause.CANCELLED, True, Status.CANCELLED),
        (StopCause.TOO_LONG, True, Status.INCOMPLETE),
        (StopCause.DEADLINE, True, Status.INCOMPLETE),
        (StopCause.DEADLINE, False, Status.FAILED),
        (StopCause.DELTA_TIMEOUT, True, Status.INCOMPLETE),
    ],
)
def test_a_stopped_call_ends_the_turn(cause: StopCause, has_said: bool, status: Status) -> None:
    verdict = retry_policy.after_stop(FIRST, MODEL, cause, has_output=has_said)
    assert isinstance(verdict, Outcome)
    assert verdict.status is status


def test_silence_before_the_first_delta_is_tried_again() -> None:
    verdict = retry_policy.after_stop(FIRST, MODEL, StopCause.DELTA_TIMEOUT, has_output=False)
    assert isinstance(verdict, Retry)
    assert verdict.uses_attempt


def test_draining_worker_requeues_without_using_an_attempt() -> None:
    verdict = retry_policy.after_stop(FIRST, MODEL, StopCause.DRAIN, has_output=True)
    assert isinstance(verdict, Retry)
    assert (verdict.delay, verdict.uses_attempt) == (0, False)
