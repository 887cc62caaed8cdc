"""Decide between retry, fallback and failure after a model call that did not complete.

The functions do no I/O: they read the claim, the model and the settings. Delays have random jitter.
"""

import random
from dataclasses import dataclass
from typing import TypeAlias

from chat.domain import (
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
from chat.domain.budgets import BudgetRefusal, exceeded_message
from chat.domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    ModelLoading,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
    ParleyError,
    ProviderError,
)
from chat.settings import chat_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """The worker writes nothing more. If it still has the lease, the sweeper recovers the turn."""

    # For the log.
    reason: str


# What follows an attempt: the turn ends, it is tried again, or this worker abandons it.
Decision: TypeAlias = Outcome | Retry | Abandon

ABANDON_REASONS = {
    StopCause.LOST: "lost the lease",
    StopCause.WRITE_FAILED: "could not write a delta",
}

WAIT_REASONS: dict[type[ProviderError], WaitReason] = {
    ModelRateLimited: WaitReason.RATE_LIMITED,
    ModelLoading: WaitReason.MODEL_LOADING,
}

LIMIT_ERRORS: dict[WaitReason, type[ProviderError]] = {
    WaitReason.RATE_LIMITED: ModelRateLimited,
    WaitReason.MODEL_LOADING: ModelLoading,
    WaitReason.QUEUE: ModelUnavailable,
    WaitReason.OWN_SHARE: ModelUnavailable,
    WaitReason.CIRCUIT: ModelUnavailable,
}

# Maximum seconds after which a turn tries again if calls in progress have reserved the rest of a
# budget.
MAX_RESERVED_WAIT = 2.0
# Seconds. After a shorter delay requested by the vendor, a retry uses an attempt and backs off.
# Otherwise `Retry-After: 0` would cause hundreds of calls a second until the turn's deadline.
MIN_RETRY_AFTER = 1.0


def after_error(claim: Claim, model: Model, error: ProviderError, *, has_output: bool) -> Decision:
    """Return the decision after a failed call.

    With output, the turn is incomplete and the output is kept. Without output, the call is retried
    while attempts and time are left, then sent to the model's fallback, and then the turn fails.
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


def after_stop(claim: Claim, model: Model, cause: StopCause, *, has_output: bool) -> Decision:
    """Return the decision after the worker stopped the call."""
    status = Status.INCOMPLETE if has_output else Status.FAILED
    match cause:
        case StopCause.LOST | StopCause.WRITE_FAILED:
            return Abandon(reason=ABANDON_REASONS[cause])
        case StopCause.CANCELLED:
            return _outcome(Status.CANCELLED, FinishReason.CANCELLED, model)
        case StopCause.TOO_LONG:
            return _outcome(Status.INCOMPLETE, FinishReason.LENGTH, model)
        case StopCause.DEADLINE:
            return _outcome(status, FinishReason.ERROR, model, DeadlineExceeded())
        case StopCause.EVENT_TIMEOUT:
            return after_error(claim, model, ModelTimeout(), has_output=has_output)
        case StopCause.DRAIN:
            return Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=False, model=model.name)


def after_limit(claim: Claim, model: Model, delay: LimiterDelay) -> Decision:
    """Return the decision when the model's limiter blocks the call; this uses no attempt."""
    if model.fallback and delay.reason is not WaitReason.RATE_LIMITED:
        return _retry_with_fallback(model, None)
    if delay.seconds < claim.seconds_left:
        return Retry(
            delay=delay.seconds,
            reason=delay.reason,
            uses_attempt=False,
            model=model.name,
            may_be_woken=True,
            ahead=delay.ahead,
        )
    return _outcome(Status.FAILED, FinishReason.ERROR, model, LIMIT_ERRORS[delay.reason]())


def after_refusal(claim: Claim, model: Model, refusal: BudgetRefusal) -> Decision:
    """Return the decision when a budget has too little left for the call; this uses no attempt.

    The turn waits for calls in progress, or for the end of the period if that comes before its
    deadline. Otherwise the model's fallback may be cheaper.
    """
    delay, reason = refusal.seconds, WaitReason.RATE_LIMITED
    if refusal.is_reserved:
        delay = random.uniform(0.5, 1.0) * MAX_RESERVED_WAIT  # noqa: S311
        reason = WaitReason.QUEUE
    if delay < claim.seconds_left:
        return Retry(delay=delay, reason=reason, uses_attempt=False, model=model.name)
    if model.fallback:
        return _retry_with_fallback(model, None)
    message = exceeded_message(refusal.scope, refusal.period, refusal.ends_at)
    return _outcome(Status.FAILED, FinishReason.ERROR, model, BudgetExceeded(message))


def after_store_error(model: Model) -> Retry:
    """Return the decision when the limiter or a file cannot be read: requeue the turn."""
    return Retry(delay=0, reason=WaitReason.QUEUE, uses_attempt=False, model=model.name)


def retry_soon(model: Model) -> Retry:
    """Return the decision when there is no memory for files, or budgets cannot be reserved."""
    delay = random.uniform(0.5, 1.0) * MAX_RESERVED_WAIT  # noqa: S311
    return Retry(delay=delay, reason=WaitReason.QUEUE, uses_attempt=False, model=model.name)


def _retry_with_fallback(model: Model, error: ProviderError | None) -> Retry:
    return Retry(
        delay=0,
        reason=WaitReason.QUEUE,
        uses_attempt=False,
        model=model.fallback,
        error=_turn_error(error) if error else None,
    )


def _retry_delay(claim: Claim, error: ProviderError) -> float:
    """Return the vendor's Retry-After, or an exponential back-off with full jitter, in seconds.

    See "Exponential Backoff And Jitter" (AWS, 2015).
    """
    retry_after = error.retry_after or 0.0
    if _has_retry_after(error):
        return retry_after
    ceiling = min(
        chat_settings.MAX_RETRY_BACKOFF, chat_settings.RETRY_BACKOFF * 2 ** (claim.attempt - 1)
    )
    return max(retry_after, random.uniform(0, ceiling))  # noqa: S311  # not a secret


def _has_retry_after(error: ProviderError) -> bool:
    return error.retry_after is not None and error.retry_after >= MIN_RETRY_AFTER


def _outcome(
    status: Status, reason: FinishReason, model: Model, error: ParleyError | None = None
) -> Outcome:
    turn_error = _turn_error(error) if error else None
    return Outcome(status=status, finish_reason=reason, model=model.name, error=turn_error)


def _turn_error(error: ParleyError) -> TurnError:
    return TurnError(code=error.code, message=error.message)
