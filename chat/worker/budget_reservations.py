"""Reservations of model calls in the budgets that limit them."""

import logging

from chat.accounts import budgets
from chat.conversation import context_window, llms
from chat.domain import Charge, Claim, Model, Prompt
from chat.domain.budgets import BudgetRefusal
from chat.domain.errors import StoreUnavailable
from chat.domain.prices import FREE
from chat.settings import chat_settings
from chat.store import budgets as store
from chat.worker import retry_policy
from chat.worker.active_turns import ActiveTurn
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
    try:
        result = await store.reserve.on_loop(
            claim.lease,
            limiting,
            model.price or FREE,
            prompt_tokens=turn.prompt_tokens,
            max_tokens=context_window.max_reply_tokens(prompt.options, model),
            min_cost=cheapest.money,
            min_tokens=cheapest.tokens,
            lasts=min(model.timeouts.total, claim.seconds_left) + 2 * chat_settings.LEASE_TTL,
        )
    except StoreUnavailable as error:
        logger.warning("Could not reserve the cost of the call: %s", error.__cause__)
        return retry_policy.after_store_error(model)
    if isinstance(result, BudgetRefusal):
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
