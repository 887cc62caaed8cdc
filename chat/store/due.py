"""The due queue: sessions that a worker must check, and their recovery."""

import logging
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from chat.domain import RecoveryResult
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import address_quota, keys
from chat.store.client import client, map_redis_errors
from chat.store.clock import redis_clock
from chat.store.scripts import ScriptCall, milliseconds, read_script, run_pipeline, script_call

logger = logging.getLogger(__name__)


def claim_due() -> list[str]:
    """Return ids of due sessions, at most `SWEEP_BATCH_SIZE` per partition.

    Other workers skip them for about two sweep intervals. One round trip.

    Raises:
        StoreUnavailable: Redis did not answer, or failed for every partition.
    """
    return claim_due_members([keys.due(partition) for partition in range(chat_settings.PARTITIONS)])


def claim_due_members(zsets: Sequence[str]) -> list[str]:
    """Return the due members of sorted sets, one per partition, and postpone them.

    Raises:
        StoreUnavailable: as `claim_due`.
    """
    args = (chat_settings.SWEEP_BATCH_SIZE, milliseconds(2 * chat_settings.SWEEP_INTERVAL))
    calls = [ScriptCall(read_script("claim_due"), [zset], args) for zset in zsets]
    with map_redis_errors():
        replies = run_pipeline(client(), calls)
        errors = [reply for reply in replies if isinstance(reply, RedisError)]
        if len(errors) == len(replies):
            raise errors[0]
    for error in errors:
        logger.error("Could not sweep a partition: %s", error)
    due = [reply for reply in replies if not isinstance(reply, RedisError)]
    return [member.decode() for members in due for member in members]


def recover(session_ids: Sequence[str], *, grace: float) -> list[RecoveryResult]:
    """Check sessions and recover lost, overdue and expired turns; one round trip.

    grace: seconds until the next check of a session that gets a wake-up now. A session that
    cannot be checked counts as `LIVE`; it is due again soon.

    Raises:
        StoreUnavailable: Redis did not answer; the call can be repeated.
    """
    has_budget = int(bool(chat_settings.SESSION_TOKENS_PER_HOUR))
    args = (milliseconds(grace), chat_settings.MAX_ATTEMPTS, has_budget, redis_clock.latest())
    calls = [script_call("recover", session_id, *args) for session_id in session_ids]
    with map_redis_errors():
        replies = run_pipeline(client(), calls)
    results = [_parse_result(*pair) for pair in zip(session_ids, replies, strict=True)]
    address_quota.release(
        (session_id, reply[1])
        for session_id, reply, result in zip(session_ids, replies, results, strict=True)
        if result is RecoveryResult.EXPIRED
    )
    return results


def _parse_result(session_id: str, reply: Any) -> RecoveryResult:
    if isinstance(reply, RedisError):
        with log_context(session=session_id):
            logger.error("Could not check the session: %s", reply)
        return RecoveryResult.LIVE
    return RecoveryResult(reply[0].decode())
