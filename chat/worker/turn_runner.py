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
    Ending,
    FinishReason,
    Model,
    Outcome,
    Prompt,
    Retry,
    Said,
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
from chat.http.cancellation import Upstream
from chat.logging import log_context
from chat.providers.registry import provider_for
from chat.settings import chat_settings
from chat.store import leases
from chat.tracing import Span, SpanKind, tracing
from chat.webhooks.delivery_pool import courier
from chat.worker import retry_policy
from chat.worker.active_turns import RunningTurn, running
from chat.worker.limiter import ModelCall, model_limiter

logger = logging.getLogger(__name__)
T = TypeVar("T")

WORKER = f"{socket.gethostname()}:{os.getpid()}"
"""How this process is named in its claims."""

STATUS_OF = {
    FinishReason.STOP: Status.COMPLETED,
    FinishReason.LENGTH: Status.INCOMPLETE,
    FinishReason.CONTENT_FILTER: Status.INCOMPLETE,
}
PERSIST_PAUSE = 0.25
"""Seconds between two tries to write an outcome to a store that gives no answer."""


def take_turn(session_id: str) -> None:
    """Answer the session's next turn, if there is one to take; wake a worker for the one after."""
    if running.is_draining:
        broker.wake(session_id)
        return
    with log_context(session=session_id):
        try:
            claim = leases.claim(session_id, nonce=random_id(), worker=WORKER)
        except StoreUnavailable as error:
            logger.warning("No claim; a sweep will see to it: %s", error.__cause__)
            return
        if claim is not None:
            _take(claim)
        else:
            model_limiter.forget_waiter(session_id)


def _take(claim: Claim) -> None:
    """Answer the claimed turn, and have it said of each line and span what it is about."""
    facts: dict[str, str | int] = {
        "turn": claim.turn,
        "attempt": claim.attempt,
        "fence": claim.lease.fence,
    }
    session_id, parent = claim.lease.session_id, claim.traceparent
    if claim.attempt == 1:
        since, until = claim.accepted_at, claim.claimed_at
        tracing.past("queue", since=since, until=until, parent=parent, session=session_id, **facts)
    with (
        tracing.span("turn", kind=SpanKind.CONSUMER, parent=parent, session=session_id, **facts),
        log_context(request_id=claim.request_id, **facts, **tracing.ids()),
    ):
        _answer(claim)


def _answer(claim: Claim) -> None:
    try:
        model = llms.named(claim.model)
    except UnknownModel as error:
        _commit(claim, _failed(claim.model, error), None)
        return
    prompt = context_window.prompt(claim, model)
    turn = RunningTurn(claim, model.timeouts, Upstream())
    running.enter(turn)
    try:
        verdict, spent = _pass_gate(claim, model, prompt), Spent()
        if verdict is None:
            with model_limiter.call(model, claim.lease.session_id) as call:
                verdict = _counted(_ask(claim, model, prompt, turn, call), prompt, turn)
            spent = _spent(verdict, prompt, turn)
        _commit(claim, verdict, turn, spent)
    finally:
        running.leave(turn)


def _pass_gate(claim: Claim, model: Model, prompt: Prompt) -> Outcome | Retry | None:
    """Pass the model's gate, or return what becomes of a turn that may not."""
    try:
        wait = model_limiter.acquire(
            model,
            claim.lease.session_id,
            tokens=context_window.cost(prompt, model),
            max_wait=claim.seconds_left,
        )
    except StoreUnavailable as error:
        logger.warning("The gate of %s gives no answer: %s", model.name, error.__cause__)
        return retry_policy.on_no_gate(model)
    return retry_policy.on_wait(claim, model, wait) if wait else None


def _ask(
    claim: Claim, model: Model, prompt: Prompt, turn: RunningTurn, call: ModelCall
) -> Outcome | Retry | None:
    """Have the reply written and return what becomes of the turn; `None` if it is lost."""
    try:
        ending = _listen(prompt, model, turn)
    except ProviderError as error:
        retry_policy.tell_gate(call, turn.stopped, error, has_said=turn.has_said)
        if turn.stopped is not None:
            return retry_policy.on_stop(claim, model, turn.stopped, has_said=turn.has_said)
        logger.warning("%s: %s", claim.reply_id, error.code)
        return retry_policy.on_error(claim, model, error, has_said=turn.has_said)
    except Exception:
        # The turn must not be asked again and again for what is a fault of ours.
        logger.exception("%s: Parley failed", claim.reply_id)
        return _failed(model.name, ParleyError("Parley failed."))
    call.result = CallResult.OK
    usage = ending.usage or _estimated(prompt, turn)
    return Outcome(
        status=STATUS_OF[ending.finish_reason],
        finish_reason=ending.finish_reason,
        model=model.name,
        usage=usage,
    )


def _listen(prompt: Prompt, model: Model, turn: RunningTurn) -> Ending:
    with tracing.span(
        "model",
        kind=SpanKind.CLIENT,
        gen_ai__operation__name="chat",
        gen_ai__provider__name=model.provider,
        gen_ai__request__model=model.model or model.name,
    ) as span:
        for piece in provider_for(model).stream(prompt, turn.upstream):
            if isinstance(piece, Ending):
                _tell_of(piece, span)
                return piece
            if not turn.has_said:
                span.add_event("first_delta")
                model_limiter.record_success(model)
            turn.say(piece)
        raise ModelInvalidResponse


def _tell_of(ending: Ending, span: Span) -> None:
    span.set_attribute("gen_ai.response.finish_reasons", [ending.finish_reason.value])
    if ending.usage is not None:
        span.set_attribute("gen_ai.usage.input_tokens", ending.usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", ending.usage.completion_tokens)


def _estimated(prompt: Prompt, turn: RunningTurn) -> Usage:
    return Usage(
        prompt_tokens=sum(map(context_window.estimate, prompt.messages)),
        completion_tokens=-(-turn.said_bytes // context_window.BYTES_PER_TOKEN),
        source=UsageSource.ESTIMATED,
    )


class Spent(NamedTuple):
    """What an attempt took, for those who count it."""

    tokens: int = 0
    """For the session's budget, if there is one."""
    took: Usage | None = None
    """For the figures, when the model has said something that is to be said anew."""


def _counted(
    verdict: Outcome | Retry | None, prompt: Prompt, turn: RunningTurn
) -> Outcome | Retry | None:
    """Return the verdict; an outcome with text tells what it took, however it came about."""
    if isinstance(verdict, Outcome) and verdict.usage is None and turn.has_said:
        return replace(verdict, usage=_estimated(prompt, turn))
    return verdict


def _spent(verdict: Outcome | Retry | None, prompt: Prompt, turn: RunningTurn) -> Spent:
    told = verdict.usage if isinstance(verdict, Outcome) else None
    if told is None and (turn.has_said or chat_settings.SESSION_TOKENS_PER_HOUR):
        guess = _estimated(prompt, turn)
        tokens = guess.total_tokens if chat_settings.SESSION_TOKENS_PER_HOUR else 0
        return Spent(tokens, guess if turn.has_said else None)
    return Spent(told.total_tokens if told and chat_settings.SESSION_TOKENS_PER_HOUR else 0)


def _commit(
    claim: Claim,
    verdict: Outcome | Retry | None,
    turn: RunningTurn | None,
    spent: Spent = Spent(),  # noqa: B008  # nothing changes it
) -> None:
    """Write what becomes of the turn, and wake a worker when the session wants one at once."""
    if verdict is None:
        logger.info("%s: this attempt was taken away", claim.reply_id)
        return
    try:
        with tracing.span("finish", outcome=_outcome(verdict)):
            wants_wake = _persist(claim, lambda: _write(claim, verdict, turn, spent))
    except TurnLost as lost:
        logger.info("%s: %s", claim.reply_id, lost.code)
        return
    except StoreUnavailable as error:
        logger.error("%s: the outcome was not written: %s", claim.reply_id, error.__cause__)
        return
    logger.info("%s: %s", claim.reply_id, _named(verdict))
    if wants_wake:
        broker.wake(claim.lease.session_id)


def _outcome(verdict: Outcome | Retry) -> str:
    return "retry" if isinstance(verdict, Retry) else verdict.status.value


def _named(verdict: Outcome | Retry) -> str:
    if isinstance(verdict, Retry):
        return f"again in {verdict.delay:.1f} s"
    return verdict.status


def _write(claim: Claim, verdict: Outcome | Retry, turn: RunningTurn | None, spent: Spent) -> bool:
    if isinstance(verdict, Retry):
        leases.retry(claim.lease, verdict, tokens=spent.tokens, usage=spent.took)
        return verdict.delay == 0
    rest = turn.rest() if turn else Said(offset=0, fragment=b"")
    finish = leases.finish(claim.lease, verdict, rest, tokens=spent.tokens)
    if finish.posted:
        courier.take([(claim.lease.session_id, message_number(claim.reply_id))])
    return finish.waits


def _persist(claim: Claim, write: Callable[[], T]) -> T:
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
            if time.monotonic() > min(until, running.tries_until):
                raise
            time.sleep(PERSIST_PAUSE)


def _failed(model: str, error: ParleyError) -> Outcome:
    return Outcome(
        status=Status.FAILED,
        finish_reason=FinishReason.ERROR,
        model=model,
        error=TurnError(code=error.code, message=error.message),
    )
