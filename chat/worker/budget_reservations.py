"""Reservations of model calls in the budgets that limit them."""

import logging

from chat.accounts import budgets
from chat.conversation import context_window, llms
from chat.domain import Charge, Claim, Model, Prompt
from chat.domain.budgets import BudgetRefusal, PlannedCall
from chat.domain.errors import StoreUnavailable
from chat.domain.prices import FREE
from chat.settings import chat_settings
from chat.store import budgets as store
from chat.worker import retry_policy
from chat.worker.active_turns import ActiveTurn
from chat.worker.overdraft import overdraft
from chat.worker.retry_policy import Decision

logger = logging.getLogger(__name__)


async def reserve(claim: Claim, model: Model, prompt: Prompt, turn: ActiveTurn) -> Decision | None:
    """Reserve what the call can cost; return `None` then, else the decision because it is refused.

    One round trip if a budget limits the call, else none.
    """
    limiting = budgets.limiting_budgets(claim.identity, model)
    if not limiting:
        return None
    cheapest = budgets.cheapest_call(llms.all_models().values())
    planned = PlannedCall(
        reservation=store.reservation_for(claim.lease, limiting),
        price=model.price or FREE,
        prompt_tokens=turn.prompt_tokens,
        max_tokens=context_window.max_reply_tokens(prompt.options, model),
        lasts=min(model.timeouts.total, claim.seconds_left) + 2 * chat_settings.LEASE_TTL,
    )
    try:
        result = await store.reserve.on_loop(
            planned, limiting, min_cost=cheapest.money, min_tokens=cheapest.tokens
        )
    except StoreUnavailable as error:
        may_call = overdraft.add(planned, limiting)
        outcome = "its budgets count it later" if may_call else "the turn waits"
        logger.warning("Could not reserve the cost of the call; %s: %s", outcome, error.__cause__)
        if not may_call:
            return retry_policy.retry_soon(model)
        result = planned.reservation
    if isinstance(result, BudgetRefusal):
        overdraft.remember_refusal(limiting, result)
        return retry_policy.after_refusal(claim, model, result)
    turn.reservation = result
    return None


async def settle_abandoned(charge: Charge) -> None:
    """Settle the reservation of an attempt that another process has ended.

    What the session has recorded counts. Only if it is gone, this worker's own measurement does.
    """
    if charge.reservation is None:
        return
    try:
        await store.settle_lost.on_loop([charge.reservation.id], charge.usage)
    except StoreUnavailable as error:
        logger.warning("Could not settle a reservation; a sweep will: %s", error.__cause__)
