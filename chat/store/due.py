"""The due queue: sessions that a worker must check, and their recovery."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import RedisError

from chat.domain import RecoveryResult
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import budgets, keys, quota
from chat.store.calls import Steps, reply_or_raise, send_all, store_call
from chat.store.clock import redis_clock
from chat.store.scripts import ScriptCall, milliseconds, read_script, script_call

logger = logging.getLogger(__name__)

# Replies of `recover` that have the nonce of a lost claim, if there was one.
MAY_HAVE_LOST_CLAIM = {b"WAKE", b"LIVE"}


@store_call
def claim_due(partitions: Iterable[int] | None = None) -> Steps[list[str]]:
    """Return ids of due sessions of partitions, by default of all.

    At most `SWEEP_BATCH_SIZE` per partition.

    Other workers skip them for about two sweep intervals. One round trip.

    Raises:
        StoreUnavailable: Redis did not answer, or failed for every partition.
    """
    if partitions is None:
        partitions = range(chat_settings.PARTITIONS)
    zsets = [keys.due(partition) for partition in partitions]
    due = yield from claim_due_members.steps(zsets)
    return due


@store_call
def claim_due_members(zsets: Sequence[str]) -> Steps[list[str]]:
    """Return the due members of sorted sets, one per partition, and postpone them.

    Raises:
        StoreUnavailable: as `claim_due`.
    """
    args = (chat_settings.SWEEP_BATCH_SIZE, milliseconds(2 * chat_settings.SWEEP_INTERVAL))
    calls = [ScriptCall(read_script("claim_due"), [zset], args) for zset in zsets]
    replies = yield from send_all(calls)
    errors = [reply for reply in replies if isinstance(reply, RedisError)]
    if errors and len(errors) == len(replies):
        reply_or_raise(errors[0])
    if errors:
        count = len(errors)
        logger.error("Could not sweep %d of %d partitions: %s", count, len(replies), errors[0])
    due = [reply for reply in replies if not isinstance(reply, RedisError)]
    return [member.decode() for members in due for member in members]


@store_call
def recover(session_ids: Sequence[str], *, grace: float) -> Steps[list[RecoveryResult]]:
    """Check sessions and recover lost, overdue and expired turns; one round trip if none was lost.

    grace: seconds until the next check of a session that gets a wake-up now. A session that
    cannot be checked counts as `LIVE`; it is due again soon.

    Raises:
        StoreUnavailable: Redis did not answer; the call can be repeated.
    """
    has_budget = int(bool(chat_settings.SESSION_TOKENS_PER_HOUR))
    args = (milliseconds(grace), chat_settings.MAX_ATTEMPTS, has_budget, redis_clock.latest())
    calls = [script_call("recover", session_id, *args) for session_id in session_ids]
    replies = yield from send_all(calls)
    results = [_parse_result(*pair) for pair in zip(session_ids, replies, strict=True)]
    yield from quota.release.steps(
        (session_id, reply[1])
        for session_id, reply, result in zip(session_ids, replies, results, strict=True)
        if result is RecoveryResult.EXPIRED
    )
    lost = [
        budgets.reservation_id(session_id, reply[1].decode())
        for session_id, reply in zip(session_ids, replies, strict=True)
        if isinstance(reply, list) and reply[0] in MAY_HAVE_LOST_CLAIM and reply[1]
    ]
    if lost:
        yield from budgets.settle_lost.steps(lost)
    return results


@store_call
def settle_reservations() -> Steps[None]:
    """Settle reservations whose calls must have ended; one round trip if there are none.

    Raises:
        StoreUnavailable: Redis did not answer; the next check settles them.
    """
    due = yield from claim_due_members.steps([keys.budget_checks()])
    if due:
        yield from budgets.settle_lost.steps(due)


def _parse_result(session_id: str, reply: Any) -> RecoveryResult:
    if isinstance(reply, RedisError):
        with log_context(session=session_id):
            logger.error("Could not check the session: %s", reply)
        return RecoveryResult.LIVE
    return RecoveryResult(reply[0].decode())
