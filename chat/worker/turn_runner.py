"""A worker's part of a turn: claim it, ask the model, commit the one outcome."""

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from chat import broker
from chat.conversation import context_window, llms
from chat.domain import (
    CallResult,
    Claim,
    Completion,
    Delta,
    FinishReason,
    Model,
    Outcome,
    Prompt,
    Retry,
    Status,
    TurnError,
    Usage,
    UsageSource,
)
from chat.domain.errors import (
    ModelInvalidResponse,
    ParleyError,
    ProviderError,
    StoreUnavailable,
    TurnLost,
    UnknownModel,
)
from chat.domain.ids import message_number, random_id
from chat.http.cancellation import CancellableCall
from chat.logging import log_context
from chat.providers.registry import provider_for
from chat.settings import chat_settings
from chat.store import leases
from chat.tracing import Span, SpanKind, tracing
from chat.webhooks.delivery_pool import delivery_pool
from chat.worker import retry_policy
from chat.worker.active_turns import ActiveTurn, active_turns
from chat.worker.limiter import ModelCall, model_limiter

logger = logging.getLogger(__name__)
T = TypeVar("T")

WORKER_ID = f"{socket.gethostname()}:{os.getpid()}"
"""How this process is named in its claims."""

STATUS_OF = {
    FinishReason.STOP: Status.COMPLETED,
    FinishReason.LENGTH: Status.INCOMPLETE,
    FinishReason.CONTENT_FILTER: Status.INCOMPLETE,
}
WRITE_RETRY_INTERVAL = 0.25
"""Seconds between two tries to write an outcome to a store that gives no answer."""


def run_next_turn(session_id: str) -> None:
    """Answer the session's next turn, if there is one to take; wake a worker for the one after."""
    if active_turns.is_draining:
        broker.wake_session(session_id)
        return
    with log_context(session=session_id):
        try:
            claim = leases.claim(session_id, nonce=random_id(), worker=WORKER_ID)
        except StoreUnavailable as error:
            logger.warning("No claim; a sweep will see to it: %s", error.__cause__)
            return
        if claim is not None:
            _run(claim)
        else:
            model_limiter.forget_waiter(session_id)


def _run(claim: Claim) -> None:
    """Answer the claimed turn, and have it said of each line and span what it is about."""
    facts: dict[str, str | int] = {
        "turn": claim.turn,
        "attempt": claim.attempt,
        "fence": claim.lease.fence,
    }
    session_id, parent = claim.lease.session_id, claim.traceparent
    if claim.attempt == 1:
        since, until = claim.accepted_at, claim.claimed_at
        tracing.record_span(
            "queue", start=since, end=until, parent=parent, session=session_id, **facts
        )
    with (
        tracing.span("turn", kind=SpanKind.CONSUMER, parent=parent, session=session_id, **facts),
        log_context(request_id=claim.request_id, **facts, **tracing.log_fields()),
    ):
        _run_attempt(claim)


def _run_attempt(claim: Claim) -> None:
    try:
        model = llms.get(claim.model)
    except UnknownModel as error:
        _commit(claim, _failed_outcome(claim.model, error), None)
        return
    prompt = context_window.build_prompt(claim, model)
    turn = ActiveTurn(claim, model.timeouts, CancellableCall())
    active_turns.add(turn)
    try:
        verdict, spent = _acquire_slot(claim, model, prompt), AttemptUsage()
        if verdict is None:
            with model_limiter.call(model, claim.lease.session_id) as call:
                verdict = _with_usage(_call_model(claim, model, prompt, turn, call), prompt, turn)
            spent = _attempt_usage(verdict, prompt, turn)
        _commit(claim, verdict, turn, spent)
    finally:
        active_turns.remove(turn)


def _acquire_slot(claim: Claim, model: Model, prompt: Prompt) -> Outcome | Retry | None:
    """Pass the model's gate, or return what becomes of a turn that may not."""
    try:
        wait = model_limiter.acquire(
            model,
            claim.lease.session_id,
            tokens=context_window.estimate_call(prompt, model),
            max_wait=claim.seconds_left,
        )
    except StoreUnavailable as error:
        logger.warning("The gate of %s gives no answer: %s", model.name, error.__cause__)
        return retry_policy.after_limiter_error(model)
    return retry_policy.after_limit(claim, model, wait) if wait else None


def _call_model(
    claim: Claim, model: Model, prompt: Prompt, turn: ActiveTurn, call: ModelCall
) -> Outcome | Retry | None:
    """Have the reply written and return what becomes of the turn; `None` if it is lost."""
    try:
        ending = _read_stream(prompt, model, turn)
    except ProviderError as error:
        retry_policy.set_call_result(call, turn.stopped, error, has_output=turn.has_output)
        if turn.stopped is not None:
            return retry_policy.after_stop(claim, model, turn.stopped, has_output=turn.has_output)
        logger.warning("%s: %s", claim.reply_id, error.code)
        return retry_policy.after_error(claim, model, error, has_output=turn.has_output)
    except Exception:
        # The turn must not be asked again and again for what is a fault of ours.
        logger.exception("%s: Parley failed", claim.reply_id)
        return _failed_outcome(model.name, ParleyError("Parley failed."))
    call.result = CallResult.OK
    usage = ending.usage or _estimate_usage(prompt, turn)
    return Outcome(
        status=STATUS_OF[ending.finish_reason],
        finish_reason=ending.finish_reason,
        model=model.name,
        usage=usage,
    )


def _read_stream(prompt: Prompt, model: Model, turn: ActiveTurn) -> Completion:
    with tracing.span(
        "model",
        kind=SpanKind.CLIENT,
        gen_ai__operation__name="chat",
        gen_ai__provider__name=model.provider,
        gen_ai__request__model=model.model or model.name,
    ) as span:
        for piece in provider_for(model).stream(prompt, turn.call):
            if isinstance(piece, Completion):
                _record_completion(piece, span)
                return piece
            if not turn.has_output:
                span.add_event("first_delta")
                model_limiter.record_success(model)
            turn.append(piece)
        raise ModelInvalidResponse


def _record_completion(completion: Completion, span: Span) -> None:
    span.set_attribute("gen_ai.response.finish_reasons", [completion.finish_reason.value])
    if completion.usage is not None:
        span.set_attribute("gen_ai.usage.input_tokens", completion.usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", completion.usage.completion_tokens)


def _estimate_usage(prompt: Prompt, turn: ActiveTurn) -> Usage:
    return Usage(
        prompt_tokens=sum(map(context_window.estimate_message, prompt.messages)),
        completion_tokens=-(-turn.output_bytes // context_window.BYTES_PER_TOKEN),
        source=UsageSource.ESTIMATED,
    )


class AttemptUsage(NamedTuple):
    """What an attempt took, for those who count it."""

    tokens: int = 0
    """For the session's budget, if there is one."""
    retried_usage: Usage | None = None
    """For the figures, when the model has said something that is to be said anew."""


def _with_usage(
    outcome: Outcome | Retry | None, prompt: Prompt, turn: ActiveTurn
) -> Outcome | Retry | None:
    """Return the verdict; an outcome with text tells what it took, however it came about."""
    if isinstance(outcome, Outcome) and outcome.usage is None and turn.has_output:
        return replace(outcome, usage=_estimate_usage(prompt, turn))
    return outcome


def _attempt_usage(
    outcome: Outcome | Retry | None, prompt: Prompt, turn: ActiveTurn
) -> AttemptUsage:
    told = outcome.usage if isinstance(outcome, Outcome) else None
    if told is None and (turn.has_output or chat_settings.SESSION_TOKENS_PER_HOUR):
        guess = _estimate_usage(prompt, turn)
        tokens = guess.total_tokens if chat_settings.SESSION_TOKENS_PER_HOUR else 0
        return AttemptUsage(tokens, guess if turn.has_output else None)
    return AttemptUsage(told.total_tokens if told and chat_settings.SESSION_TOKENS_PER_HOUR else 0)


def _commit(
    claim: Claim,
    outcome: Outcome | Retry | None,
    turn: ActiveTurn | None,
    usage: AttemptUsage = AttemptUsage(),  # noqa: B008  # nothing changes it
) -> None:
    """Write what becomes of the turn, and wake a worker when the session wants one at once."""
    if outcome is None:
        logger.info("%s: this attempt was taken away", claim.reply_id)
        return
    try:
        with tracing.span("finish", outcome=_outcome_name(outcome)):
            wants_wake = _write_with_retry(claim, lambda: _write(claim, outcome, turn, usage))
    except TurnLost as lost:
        logger.info("%s: %s", claim.reply_id, lost.code)
        return
    except StoreUnavailable as error:
        logger.error("%s: the outcome was not written: %s", claim.reply_id, error.__cause__)
        return
    logger.info("%s: %s", claim.reply_id, _describe(outcome))
    if wants_wake:
        broker.wake_session(claim.lease.session_id)


def _outcome_name(outcome: Outcome | Retry) -> str:
    return "retry" if isinstance(outcome, Retry) else outcome.status.value


def _describe(outcome: Outcome | Retry) -> str:
    if isinstance(outcome, Retry):
        return f"again in {outcome.delay:.1f} s"
    return outcome.status


def _write(
    claim: Claim, outcome: Outcome | Retry, turn: ActiveTurn | None, usage: AttemptUsage
) -> bool:
    if isinstance(outcome, Retry):
        leases.retry(claim.lease, outcome, tokens=usage.tokens, usage=usage.retried_usage)
        return outcome.delay == 0
    rest = turn.remaining() if turn else Delta(offset=0, fragment=b"")
    finish = leases.finish(claim.lease, outcome, rest, tokens=usage.tokens)
    if finish.has_delivery:
        delivery_pool.submit([(claim.lease.session_id, message_number(claim.reply_id))])
    return finish.has_queued_turns


def _write_with_retry(claim: Claim, write: Callable[[], T]) -> T:
    """Write until the store answers: it is down seldom, and a reply is dear.

    Raises:
        StoreUnavailable: it gave no answer until the turn's own deadline, or this process's end.
        TurnLost: somebody else has taken the turn meanwhile.
    """
    until = time.monotonic() + max(claim.seconds_left, chat_settings.LEASE_TTL)
    while True:
        try:
            return write()
        except StoreUnavailable:
            if time.monotonic() > min(until, active_turns.give_up_at):
                raise
            time.sleep(WRITE_RETRY_INTERVAL)


def _failed_outcome(model: str, error: ParleyError) -> Outcome:
    return Outcome(
        status=Status.FAILED,
        finish_reason=FinishReason.ERROR,
        model=model,
        error=TurnError(code=error.code, message=error.message),
    )
