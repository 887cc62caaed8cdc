"""What becomes of a turn after a model call that did not simply end: pure decisions."""

import random

from chat.domain import (
    CallResult,
    Claim,
    FinishReason,
    LimiterDelay,
    Model,
    Outcome,
    Retry,
    Status,
    StopCause,
    TurnError,
    WaitReason,
)
from chat.domain.errors import (
    DeadlineExceeded,
    ModelLoading,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
    ProviderError,
)
from chat.settings import chat_settings
from chat.worker.limiter import ModelCall

WAIT_REASONS: dict[type[ProviderError], WaitReason] = {
    ModelRateLimited: WaitReason.RATE_LIMITED,
    ModelLoading: WaitReason.MODEL_LOADING,
}

LIMIT_ERRORS: dict[WaitReason, type[ProviderError]] = {
    WaitReason.RATE_LIMITED: ModelRateLimited,
    WaitReason.MODEL_LOADING: ModelLoading,
    WaitReason.QUEUE: ModelUnavailable,
}

MIN_RETRY_AFTER = 1.0
"""Seconds; a call that its vendor wants again sooner uses an attempt, and backs off.

Else `Retry-After: 0` would have a turn call hundreds of times a second until its deadline.
"""


def after_error(
    claim: Claim, model: Model, error: ProviderError, *, has_output: bool
) -> Outcome | Retry:
    """Decide after a failed call.

    What was said is kept, so a call that failed in the middle ends the turn as incomplete. Before
    the first delta it is tried again, while attempts and time are left; then the model's fallback
    is asked; then the turn has failed.
    """
    if has_output:
        return _outcome(Status.INCOMPLETE, FinishReason.ERROR, model, error)
    delay = _retry_delay(claim, error)
    uses_attempt = error.counts_as_attempt or not _has_retry_after(error)
    may_retry = claim.attempt < chat_settings.MAX_ATTEMPTS or not uses_attempt
    if error.retryable and may_retry and delay < claim.seconds_left:
        return Retry(
            delay=delay,
            reason=WAIT_REASONS.get(type(error), WaitReason.QUEUE),
            uses_attempt=uses_attempt,
            model=model.name,
            error=_turn_error(error),
        )
    if model.fallback:
        return _retry_with_fallback(model, error)
    return _outcome(Status.FAILED, FinishReason.ERROR, model, error)


def after_stop(
    claim: Claim, model: Model, cause: StopCause, *, has_output: bool
) -> Outcome | Retry | None:
    """Decide after this side ended the call; `None` when the turn is no longer ours to write."""
    ended = Status.INCOMPLETE if has_output else Status.FAILED
    match cause:
        case StopCause.LOST:
            return None
        case StopCause.CANCELLED:
            return _outcome(Status.CANCELLED, FinishReason.CANCELLED, model)
        case StopCause.TOO_LONG:
            return _outcome(Status.INCOMPLETE, FinishReason.LENGTH, model)
        case StopCause.DEADLINE:
            return _outcome(ended, FinishReason.ERROR, model, DeadlineExceeded())
        case StopCause.SILENCE:
            return after_error(claim, model, ModelTimeout(), has_output=has_output)
        case StopCause.DRAIN:
            return Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=False, model=model.name)


def after_limit(claim: Claim, model: Model, wait: LimiterDelay) -> Outcome | Retry:
    """Decide for a turn whose model's gate lets no call pass now: no attempt is used."""
    if model.fallback and wait.reason is not WaitReason.RATE_LIMITED:
        return _retry_with_fallback(model, None)
    if wait.seconds < claim.seconds_left:
        return Retry(
            delay=wait.seconds,
            reason=wait.reason,
            uses_attempt=False,
            model=model.name,
            may_be_woken=True,
        )
    return _outcome(Status.FAILED, FinishReason.ERROR, model, LIMIT_ERRORS[wait.reason]())


def after_limiter_error(model: Model) -> Retry:
    """Decide for a turn whose model's gate could not be asked: as if it had not been taken."""
    return Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=False, model=model.name)


def set_call_result(
    call: ModelCall, stopped: StopCause | None, error: ProviderError, *, has_output: bool
) -> None:
    """Note for the model's gate what a call that failed or was stopped says about the model.

    A call that was answered, with text or with what nobody can read, says that it is there: that
    may be the doing of the one conversation that it was shown.
    """
    if not has_output and (stopped is StopCause.SILENCE or (stopped is None and error.is_outage)):
        call.result = CallResult.FAILED
    if stopped is None and error.retry_after:
        call.result = CallResult.RETRY_AFTER
        call.retry_after = error.retry_after
        call.reason = WAIT_REASONS.get(type(error), WaitReason.QUEUE)


def _retry_with_fallback(model: Model, error: ProviderError | None) -> Retry:
    return Retry(
        delay=0,
        reason=WaitReason.QUEUE,
        uses_attempt=False,
        model=model.fallback,
        error=_turn_error(error) if error else None,
    )


def _retry_delay(claim: Claim, error: ProviderError) -> float:
    """Seconds until the next try: the vendor's wish, else exponential back-off with full jitter.

    The jitter is AWS's ("Exponential Backoff And Jitter", 2015).
    """
    wish = error.retry_after or 0.0
    if _has_retry_after(error):
        return wish
    ceiling = min(
        chat_settings.MAX_RETRY_BACKOFF, chat_settings.RETRY_BACKOFF * 2 ** (claim.attempt - 1)
    )
    return max(wish, random.uniform(0, ceiling))  # noqa: S311  # no secret hangs on it


def _has_retry_after(error: ProviderError) -> bool:
    return error.retry_after is not None and error.retry_after >= MIN_RETRY_AFTER


def _outcome(
    status: Status, reason: FinishReason, model: Model, error: ProviderError | None = None
) -> Outcome:
    told = _turn_error(error) if error else None
    return Outcome(status=status, finish_reason=reason, model=model.name, error=told)


def _turn_error(error: ProviderError) -> TurnError:
    return TurnError(code=error.code, message=error.message)
