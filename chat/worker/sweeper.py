"""Check the sessions that are due: wake a worker for them, recover their turns, or expire them."""

import logging
from collections.abc import Iterable

from chat import broker
from chat.accounts import budgets
from chat.conversation import llms
from chat.domain import RecoveryResult
from chat.settings import chat_settings
from chat.store import due
from chat.store.calls import run
from chat.store.clock import redis_clock
from chat.store.shift import shift_times

logger = logging.getLogger(__name__)

# Seconds of additional grace for each wake-up in the broker's queue. A long queue does not mean
# that wake-ups were lost. This limits repeated wake-ups to about a hundred a second.
GRACE_PER_WAKE_UP = 0.01


def check_clock() -> None:
    """Correct stored times if Redis's clock has stepped.

    Raises:
        StoreUnavailable: Redis did not answer; a later check corrects them.
    """
    step = run(redis_clock.check())
    if step is not None:
        logger.warning("Redis's clock stepped by %+.0f s; correcting stored times", step.seconds)
        shift_times(step, llms.all_models().values())
        run(redis_clock.end(step))


def settle_reservations() -> None:
    """Settle reservations of calls that have ended unseen, if there are budgets.

    Raises:
        StoreUnavailable: Redis did not answer; the next sweep settles them.
    """
    if budgets.rules():
        due.settle_reservations()


def sweep(partitions: Iterable[int] | None = None) -> int:
    """Sweep partitions, by default all; return how many sessions were woken.

    Raises:
        StoreUnavailable: Redis did not answer; the next sweep checks the same sessions.
    """
    session_ids = due.claim_due(partitions)
    if not session_ids:
        return 0
    grace = chat_settings.WAKE_GRACE + (broker.queue_length() or 0) * GRACE_PER_WAKE_UP
    results = due.recover(session_ids, grace=grace)
    woken = [
        session_id
        for session_id, result in zip(session_ids, results, strict=True)
        if result is RecoveryResult.WAKE
    ]
    for session_id in woken:
        broker.wake_session(session_id)
    return len(woken)
