"""What is due: the sessions that some worker must look at, and the look itself."""

from collections.abc import Sequence

from redis.exceptions import RedisError

from chat.conf import knobs
from chat.domain import Look
from chat.store import keys
from chat.store.client import client, translated
from chat.store.scripts import Call, run_all, script
from chat.store.sessions import call


def sweep() -> list[str]:
    """Return ids of sessions that are due, at most `SWEEP_BATCH` of each partition.

    For the time of one sweep they are this caller's to look at. One round trip.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    hold = round(2000 * knobs.SWEEP)
    calls = [
        Call(script("sweep"), [keys.due(tag)], (knobs.SWEEP_BATCH, hold))
        for tag in range(knobs.PARTITIONS)
    ]
    with translated():
        answers = run_all(client(), calls)
    return [
        session_id.decode()
        for found in answers
        if not isinstance(found, RedisError)
        for session_id in found
    ]


def recover(session_ids: Sequence[str], *, grace: float) -> list[Look]:
    """Look at each session and put right what is wrong with it; one round trip.

    grace: seconds until the next look at one that is woken now.

    Raises:
        StoreUnavailable: Redis gave no answer; the looks may be made again.
    """
    calls = [
        call("recover", session_id, round(grace * 1000), knobs.MAX_ATTEMPTS)
        for session_id in session_ids
    ]
    with translated():
        answers = run_all(client(), calls)
    return [
        Look.LIVE if isinstance(words, RedisError) else Look(words[0].decode()) for words in answers
    ]
