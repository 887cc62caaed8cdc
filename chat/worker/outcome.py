"""The end of an attempt: its outcome is written, and what it needs next is started."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from chat.domain import NO_CHARGE, Charge, Claim, Delta, FinishResult, Outcome, Retry, Status
from chat.domain.errors import StoreUnavailable, TurnLost
from chat.domain.ids import message_number
from chat.logging import log_turn
from chat.settings import chat_settings
from chat.store import leases
from chat.tracing import tracing
from chat.webhooks.delivery_pool import delivery_pool
from chat.worker import budget_reservations
from chat.worker.active_turns import ActiveTurn, active_turns
from chat.worker.retry_policy import Abandon, Decision
from chat.worker.wake_ups import wake_ups

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Seconds between attempts to write an outcome while the store is unavailable.
WRITE_RETRY_INTERVAL = 0.25


async def commit(
    claim: Claim,
    decision: Decision,
    turn: ActiveTurn | None,
    charge: Charge = NO_CHARGE,
) -> None:
    """Write the decision, and wake a worker if the session needs one now."""
    if isinstance(decision, Abandon):
        logger.info("%s: %s; no outcome was written", claim.reply_id, decision.reason)
        await budget_reservations.settle_abandoned(charge)
        return
    try:
        with tracing.span("finish") as span:
            written = await _write_with_retry(claim, lambda: _write(claim, decision, turn, charge))
            span.set_attribute("parley.outcome", written.outcome)
    except TurnLost as lost:
        logger.info("%s: %s", claim.reply_id, lost.code)
        return
    except StoreUnavailable as error:
        logger.error("%s: could not write the outcome: %s", claim.reply_id, error.__cause__)
        return
    log_turn(logger, f"{claim.reply_id}: {written.description}")
    if written.needs_wake:
        wake_ups.wake_behind_others(claim.lease.session_id)


class Written(NamedTuple):
    """What became of the turn."""

    # A status, or "retry".
    outcome: str
    # What the log says about the outcome.
    description: str
    # The session has a turn that can start now.
    needs_wake: bool


async def _write(
    claim: Claim, decision: Outcome | Retry, turn: ActiveTurn | None, charge: Charge
) -> Written:
    if isinstance(decision, Outcome):
        delta = turn.remaining() if turn else Delta(offset=0, escaped=b"")
        finish = await leases.finish.on_loop(claim.lease, decision, delta, charge=charge)
        return _after_end(claim, decision.status, finish)
    cancellation = await leases.retry.on_loop(claim.lease, decision, charge=charge)
    if cancellation is not None:
        return _after_end(claim, Status.CANCELLED, cancellation)
    return Written(
        outcome="retry",
        description=f"retry in {decision.delay:.1f} s",
        needs_wake=decision.delay == 0,
    )


def _after_end(claim: Claim, status: Status, finish: FinishResult) -> Written:
    """Pass the webhook delivery of the turn, if any, to the pool."""
    if finish.has_delivery:
        delivery_pool.submit([(claim.lease.session_id, message_number(claim.reply_id))])
    return Written(outcome=status, description=status, needs_wake=finish.has_queued_turns)


async def _write_with_retry(claim: Claim, write: Callable[[], Awaitable[T]]) -> T:
    """Retry while the store is unavailable, to keep the reply.

    Raises:
        StoreUnavailable: until the turn's deadline, or the end of this process.
        TurnLost: the turn was reassigned, or its session deleted.
    """
    give_up_at = time.monotonic() + max(claim.seconds_left, chat_settings.LEASE_TTL)
    while True:
        try:
            return await write()
        except StoreUnavailable:
            if time.monotonic() > min(give_up_at, active_turns.give_up_at):
                raise
            await asyncio.sleep(WRITE_RETRY_INTERVAL)
