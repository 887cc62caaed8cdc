"""Run a turn: claim it, call the model; `outcome.py` writes its result."""

import logging
import os
import socket
from contextlib import aclosing
from functools import cache
from typing import TypeVar

from chat.conversation import context_window, llms, policies
from chat.domain import (
    NO_CHARGE,
    CallResult,
    Claim,
    Completion,
    FinishReason,
    Model,
    Outcome,
    Prompt,
    Reasoning,
    Status,
    TurnError,
)
from chat.domain.errors import (
    ContextTooLong,
    ModelInvalidResponse,
    ParleyError,
    ProviderError,
    SessionExpired,
    SessionNotFound,
    StoreUnavailable,
    UnknownModel,
)
from chat.domain.ids import random_id
from chat.logging import log_context
from chat.providers.registry import provider_for
from chat.store import leases
from chat.tracing import Span, SpanKind, tracing
from chat.worker import attempt_usage, budget_reservations, prompt_files, retry_policy
from chat.worker.active_turns import ActiveTurn, active_turns
from chat.worker.limiter import CallReport, HeldSlot, model_limiter, report_failure
from chat.worker.outcome import commit
from chat.worker.overdraft import overdraft
from chat.worker.retry_policy import Abandon, Decision
from chat.worker.wake_ups import wake_ups

logger = logging.getLogger(__name__)
T = TypeVar("T")

STATUS_OF = {
    FinishReason.STOP: Status.COMPLETED,
    FinishReason.LENGTH: Status.INCOMPLETE,
    FinishReason.CONTENT_FILTER: Status.INCOMPLETE,
}


@cache
def worker_id() -> str:
    """Return the id of this process in its claims. A forked process has its own."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def run_next_turn(session_id: str) -> None:
    """Run the session's next turn, if any, and wake a worker for the one after it."""
    if active_turns.is_draining:
        wake_ups.wake(session_id)
        return
    with log_context(session=session_id):
        try:
            claim = await leases.claim.on_loop(
                session_id,
                nonce=random_id(),
                worker=worker_id(),
                max_tokens=llms.max_context_tokens(),
            )
        except StoreUnavailable as error:
            logger.warning("Could not claim the turn; the sweeper will retry: %s", error.__cause__)
            return
        if claim is not None:
            await _run(claim)
        else:
            await model_limiter.forget_waiter(session_id)


async def _run(claim: Claim) -> None:
    """Run the claimed turn, with its ids in log records and spans."""
    fields: dict[str, str | int] = {
        "turn": claim.turn,
        "attempt": claim.attempt,
        "fence": claim.lease.fence,
    }
    session_id, parent = claim.lease.session_id, claim.traceparent
    if claim.attempt == 1:
        start, end = claim.accepted_at, claim.claimed_at
        tracing.record_span(
            "queue", start=start, end=end, parent=parent, session=session_id, **fields
        )
    with (
        tracing.span("turn", kind=SpanKind.CONSUMER, parent=parent, session=session_id, **fields),
        log_context(request_id=claim.request_id, **fields, **tracing.log_fields()),
    ):
        await _attempt(claim)


async def _attempt(claim: Claim) -> None:
    try:
        model = llms.get(claim.model)
    except UnknownModel as error:
        await commit(claim, _failed_outcome(claim.model, error), None)
        return
    try:
        prompt = context_window.build_prompt(policies.apply_to_claim(claim, model), model)
    except ContextTooLong as error:
        await commit(claim, retry_policy.after_error(claim, model, error, has_output=False), None)
        return
    with prompt_files.file_memory.reserve(prompt) as has_room:
        if has_room:
            await _attempt_prompt(claim, model, prompt)
            return
    await commit(claim, retry_policy.retry_soon(model), None)


async def _attempt_prompt(claim: Claim, model: Model, prompt: Prompt) -> None:
    tokens = context_window.estimate_prompt(prompt)
    turn = ActiveTurn(claim, model.timeouts, prompt_tokens=tokens)
    active_turns.add(turn)
    try:
        blocked = await _acquire_slot(claim, model, prompt, turn)
        if blocked is not None:
            await commit(claim, blocked, turn)
            return
        async with model_limiter.hold_slot(model, turn.caller) as slot:
            refused = await budget_reservations.reserve(claim, model, prompt, turn)
            decision = refused or attempt_usage.with_estimate(
                await _call_model(claim, model, prompt, turn, slot), turn
            )
        charge = NO_CHARGE if refused else overdraft.end(attempt_usage.measure(decision, turn))
        await commit(claim, decision, turn, charge)
    finally:
        active_turns.remove(turn)


async def _acquire_slot(
    claim: Claim, model: Model, prompt: Prompt, turn: ActiveTurn
) -> Decision | None:
    """Return `None` if the model may be called now, else the decision because it is blocked."""
    try:
        delay = await model_limiter.acquire(
            model,
            turn.caller,
            tokens=turn.prompt_tokens + context_window.max_reply_tokens(prompt.options, model),
            max_wait=claim.seconds_left,
        )
    except StoreUnavailable as error:
        logger.warning("Could not use the limiter of %s: %s", model.name, error.__cause__)
        return retry_policy.after_store_error(model)
    return retry_policy.after_limit(claim, model, delay) if delay else None


async def _call_model(
    claim: Claim, model: Model, prompt: Prompt, turn: ActiveTurn, slot: HeldSlot
) -> Decision:
    """Pass the model's output to the flusher, report the call, and return the decision."""
    try:
        with turn.calling():
            loaded = await prompt_files.load(claim.lease.session_id, prompt)
        completion = await _read_stream(loaded, model, turn, slot)
    except StoreUnavailable as error:
        logger.warning("Could not read the files of the prompt: %s", error.__cause__)
        turn.was_rejected = True
        return retry_policy.after_store_error(model)
    except (SessionNotFound, SessionExpired):
        turn.was_rejected = True
        return Abandon(reason="the session was deleted")
    except ProviderError as error:
        slot.report = report_failure(error, turn.stop_cause, has_output=turn.has_output)
        turn.was_rejected = error.is_free and not turn.has_output
        if turn.stop_cause is not None:
            return retry_policy.after_stop(
                claim, model, turn.stop_cause, has_output=turn.has_output
            )
        logger.warning("%s: %s", claim.reply_id, error.code)
        return retry_policy.after_error(claim, model, error, has_output=turn.has_output)
    except Exception:
        # A retry would not help against a bug in Parley. The reply gets the code "error", which the
        # root of all errors has; no client sees an `InternalError`.
        logger.exception("%s: internal error", claim.reply_id)
        return _failed_outcome(model.name, ParleyError("Internal error."))
    slot.report = CallReport(result=CallResult.OK)
    return Outcome(
        status=STATUS_OF[completion.finish_reason],
        finish_reason=completion.finish_reason,
        model=model.name,
        usage=completion.usage or attempt_usage.estimate(turn),
    )


async def _read_stream(
    prompt: Prompt, model: Model, turn: ActiveTurn, slot: HeldSlot
) -> Completion:
    with tracing.span(
        "model",
        kind=SpanKind.CLIENT,
        gen_ai__operation__name="chat",
        gen_ai__provider__name=model.provider,
        gen_ai__request__model=model.model or model.name,
    ) as span:
        items = provider_for(model).stream(prompt)
        async with aclosing(items):
            with turn.calling():
                async for item in items:
                    if isinstance(item, str):
                        if not turn.has_output:
                            await _record_first_text(model, slot, span)
                        turn.append(item)
                        turn.raise_if_stopped()
                    elif isinstance(item, Reasoning):
                        slot.is_silent = False
                        turn.append_reasoning(item.text, is_kept=model.reasoning == "keep")
                    else:
                        _record_completion(item, span)
                        return item
        raise ModelInvalidResponse


async def _record_first_text(model: Model, slot: HeldSlot, span: Span) -> None:
    span.add_event("first_token")
    await model_limiter.record_success(model, slot)


def _record_completion(completion: Completion, span: Span) -> None:
    span.set_attribute("gen_ai.response.finish_reasons", [completion.finish_reason.value])
    if completion.usage is not None:
        span.set_attribute("gen_ai.usage.input_tokens", completion.usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", completion.usage.completion_tokens)


def _failed_outcome(model: str, error: ParleyError) -> Outcome:
    return Outcome(
        status=Status.FAILED,
        finish_reason=FinishReason.ERROR,
        model=model,
        error=TurnError(code=error.code, message=error.message),
    )
