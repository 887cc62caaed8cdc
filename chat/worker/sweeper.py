"""Check the sessions that are due: run their turns, recover them, or expire the sessions."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

from chat.accounts import budgets
from chat.conversation import llms
from chat.domain import RecoveryResult
from chat.domain.errors import StoreFull
from chat.settings import chat_settings
from chat.store import budgets as stored_budgets
from chat.store import due, rollups
from chat.store.calls import run_on_loop
from chat.store.clock import redis_clock, shift_times
from chat.worker.overdraft import overdraft
from chat.worker.wake_ups import queue_length, wake_ups

logger = logging.getLogger(__name__)

# Seconds of additional grace for each wake-up in the broker's queue. A long queue does not mean
# that wake-ups were lost. This limits repeated wake-ups to about a hundred a second.
GRACE_PER_WAKE_UP = 0.01
# Seconds. Redis's clock may step, so the start of the next hour is checked again.
MAX_ROLLUP_WAIT = 300.0
# Seconds until another attempt to store the counters.
ROLLUP_RETRY = 15.0


async def check_clock() -> None:
    """Correct stored times if Redis's clock has stepped.

    Raises:
        StoreUnavailable: Redis did not answer; a later check corrects them.
    """
    step = await run_on_loop(redis_clock.check())
    if step is not None:
        logger.warning("Redis's clock stepped by %+.0f s; correcting stored times", step.seconds)
        await asyncio.to_thread(shift_times, step, llms.all_models().values())
        await run_on_loop(redis_clock.end(step))


async def settle_reservations(workers: int = 0) -> None:
    """Read the budgets of API keys, and settle reservations of calls that have ended unseen.

    workers: those that are alive; 0 if they are unknown.

    Raises:
        StoreUnavailable: Redis did not answer; the next sweep settles them.
    """
    budgets.remember_key_limits(await stored_budgets.key_limits.on_loop())
    await overdraft.record(workers=workers)
    if budgets.rules():
        await due.settle_reservations.on_loop()


class HourlyRollup:
    """Stores a copy of the counters at the start of each hour; every worker tries to."""

    def __init__(self) -> None:
        self._due = 0.0

    async def record(self) -> None:
        """Store the copy if a new hour has started.

        Raises:
            StoreUnavailable: Redis did not answer; the next call tries again.
        """
        if monotonic() < self._due:
            return
        self._due = monotonic() + ROLLUP_RETRY
        with suppress(StoreFull):  # until there is room, hours count towards the one before them
            wait = await asyncio.to_thread(rollups.record)
            self._due = monotonic() + min(wait, MAX_ROLLUP_WAIT)


async def sweep(partitions: Iterable[int] | None = None) -> int:
    """Wake the sessions of partitions, by default all, whose turns are due; return how many.

    Raises:
        StoreUnavailable: Redis did not answer; the next sweep checks the same sessions.
    """
    session_ids = await due.claim_due.on_loop(partitions)
    if not session_ids:
        return 0
    grace = chat_settings.WAKE_GRACE + await queue_length() * GRACE_PER_WAKE_UP
    results = await due.recover.on_loop(session_ids, grace=grace)
    woken = [
        session_id
        for session_id, result in zip(session_ids, results, strict=True)
        if result is RecoveryResult.WAKE
    ]
    for session_id in woken:
        wake_ups.wake(session_id)
    return len(woken)
