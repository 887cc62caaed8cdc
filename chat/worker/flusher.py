"""One thread that sends what all running turns have said, renews leases and reads cancel marks.

A pipeline every 50 ms for the streams of the process costs half of a write per delta (measured: 47
us of CPU a delta against 91).
"""

import logging
import time
from threading import Event
from typing import TypeAlias

from chat.domain import Delta, StopCause
from chat.domain.errors import StoreUnavailable, TurnLost
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import leases
from chat.worker.active_turns import ActiveTurn, ActiveTurns

logger = logging.getLogger(__name__)

Write: TypeAlias = tuple[ActiveTurn, Delta | None]
BATCH_SIZE = 50
"""Turns that are flushed in one round trip: those who follow the first of them have their news
while the last are still on their way."""


class Flusher:
    """Cares for the running turns of a process until it is stopped."""

    def __init__(self, active_turns: ActiveTurns) -> None:
        self._active_turns = active_turns
        self._stopping = Event()
        self._is_failing = False

    def stop(self) -> None:
        """Have `run` return, once the running turns have left."""
        self._stopping.set()

    def run(self) -> None:
        """Flush every `FLUSH` seconds, for a turn as for none.

        To be woken by the first turn would cost that turn a fiftieth of its way to the model.
        """
        while (turns := self._active_turns.all()) or not self._stopping.is_set():
            started = time.monotonic()
            if turns:
                self._flush(turns)
            time.sleep(max(0.0, started + chat_settings.FLUSH_INTERVAL - time.monotonic()))

    def _flush(self, turns: list[ActiveTurn]) -> None:
        """Flush; tell of a store that gives no answer once, not twenty times a second."""
        try:
            flush(turns)
        except StoreUnavailable as error:
            if not self._is_failing:
                logger.warning("A flush of %d turns has to wait: %s", len(turns), error.__cause__)
            self._is_failing = True
        else:
            self._is_failing = False


def flush(turns: list[ActiveTurn]) -> None:
    """Take the news of these turns to the store, in a round trip for each `PARTY` of them.

    Raises:
        StoreUnavailable: it gave no answer; what it has not taken is sent with the next flush.
    """
    now = time.monotonic()
    writes: list[Write] = []
    for turn in turns:
        turn.check_timeouts(now)
        said = turn.unflushed()
        if said or turn.is_heartbeat_due(now):
            writes.append((turn, said))
    for first in range(0, len(writes), BATCH_SIZE):
        _flush(writes[first : first + BATCH_SIZE], now)


def _flush(writes: list[Write], now: float) -> None:
    results = leases.flush([(turn.lease, said) for turn, said in writes])
    for (turn, said), result in zip(writes, results, strict=True):
        _apply_result(turn, said, now, result=result)


def _apply_result(
    turn: ActiveTurn, delta: Delta | None, now: float, *, result: bool | Exception
) -> None:
    if isinstance(result, StoreUnavailable):
        return  # what was not taken is sent again with the next flush
    if isinstance(result, Exception):
        if not isinstance(result, TurnLost):
            # This turn alone: the others of the process have done nothing wrong.
            with log_context(session=turn.lease.session_id):
                logger.error("A flush failed: %s", result)
        turn.stop(StopCause.LOST)
        return
    turn.mark_flushed(delta, now)
    if result:
        turn.stop(StopCause.CANCELLED)
