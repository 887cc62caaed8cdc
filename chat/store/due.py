"""What is due: the sessions that some worker must look at, and the look itself."""

import logging
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from chat.domain import Look
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import call
from chat.store.client import client, translated
from chat.store.scripts import Call, run_all, script

logger = logging.getLogger(__name__)


def sweep() -> list[str]:
    """Return ids of sessions that are due, at most `SWEEP_BATCH` of each partition.

    For the time of one sweep they are this caller's to look at. One round trip.

    Raises:
        StoreUnavailable: Redis gave no answer, or refused for every partition.
    """
    return held([keys.due(tag) for tag in range(chat_settings.PARTITIONS)])


def held(zsets: Sequence[str]) -> list[str]:
    """Return members that are due of sorted sets, one a partition, and hold them for this caller.

    Raises:
        StoreUnavailable: as `sweep`.
    """
    hold = round(2000 * chat_settings.SWEEP_INTERVAL)
    calls = [
        Call(script("sweep"), [zset], (chat_settings.SWEEP_BATCH_SIZE, hold)) for zset in zsets
    ]
    with translated():
        answers = run_all(client(), calls)
        failures = [answer for answer in answers if isinstance(answer, RedisError)]
        if len(failures) == len(answers):
            raise failures[0]
    for failure in failures:
        logger.error("A partition could not be swept: %s", failure)
    found = [answer for answer in answers if not isinstance(answer, RedisError)]
    return [member.decode() for members in found for member in members]


def recover(session_ids: Sequence[str], *, grace: float) -> list[Look]:
    """Look at each session and put right what is wrong with it; one round trip.

    grace: seconds until the next look at one that is woken now. A session whose look fails is
    `LIVE`: it does not keep the others from theirs, and is due again soon.

    Raises:
        StoreUnavailable: Redis gave no answer; the looks may be made again.
    """
    counts = int(bool(chat_settings.SESSION_TOKENS_PER_HOUR))
    calls = [
        call("recover", session_id, round(grace * 1000), chat_settings.MAX_ATTEMPTS, counts)
        for session_id in session_ids
    ]
    with translated():
        answers = run_all(client(), calls)
    return [_look(*pair) for pair in zip(session_ids, answers, strict=True)]


def _look(session_id: str, answer: Any) -> Look:
    if isinstance(answer, RedisError):
        with log_context(session=session_id):
            logger.error("A look failed: %s", answer)
        return Look.LIVE
    return Look(answer[0].decode())
