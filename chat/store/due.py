"""What is due: the sessions that some worker must look at, and the look itself."""

import logging
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from chat.domain import RecoveryResult
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import ScriptCall, read_script, run_pipeline, script_call

logger = logging.getLogger(__name__)


def claim_due() -> list[str]:
    """Return ids of sessions that are due, at most `SWEEP_BATCH` of each partition.

    For the time of one sweep they are this caller's to look at. One round trip.

    Raises:
        StoreUnavailable: Redis gave no answer, or refused for every partition.
    """
    return claim_due_members([keys.due(tag) for tag in range(chat_settings.PARTITIONS)])


def claim_due_members(zsets: Sequence[str]) -> list[str]:
    """Return members that are due of sorted sets, one a partition, and hold them for this caller.

    Raises:
        StoreUnavailable: as `sweep`.
    """
    hold = round(2000 * chat_settings.SWEEP_INTERVAL)
    calls = [
        ScriptCall(read_script("claim_due"), [zset], (chat_settings.SWEEP_BATCH_SIZE, hold))
        for zset in zsets
    ]
    with map_errors():
        answers = run_pipeline(client(), calls)
        failures = [answer for answer in answers if isinstance(answer, RedisError)]
        if len(failures) == len(answers):
            raise failures[0]
    for failure in failures:
        logger.error("A partition could not be swept: %s", failure)
    found = [answer for answer in answers if not isinstance(answer, RedisError)]
    return [member.decode() for members in found for member in members]


def recover(session_ids: Sequence[str], *, grace: float) -> list[RecoveryResult]:
    """Look at each session and put right what is wrong with it; one round trip.

    grace: seconds until the next look at one that is woken now. A session whose look fails is
    `LIVE`: it does not keep the others from theirs, and is due again soon.

    Raises:
        StoreUnavailable: Redis gave no answer; the looks may be made again.
    """
    counts = int(bool(chat_settings.SESSION_TOKENS_PER_HOUR))
    calls = [
        script_call("recover", session_id, round(grace * 1000), chat_settings.MAX_ATTEMPTS, counts)
        for session_id in session_ids
    ]
    with map_errors():
        answers = run_pipeline(client(), calls)
    return [_parse_result(*pair) for pair in zip(session_ids, answers, strict=True)]


def _parse_result(session_id: str, answer: Any) -> RecoveryResult:
    if isinstance(answer, RedisError):
        with log_context(session=session_id):
            logger.error("A look failed: %s", answer)
        return RecoveryResult.LIVE
    return RecoveryResult(answer[0].decode())
