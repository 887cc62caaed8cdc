"""A thread that writes the deltas of all running turns, renews leases and reads cancel requests.

One pipeline every 50 ms writes the deltas of all running turns of the process. Measured: 47 us of
CPU per delta, instead of 91 with one write per delta.
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
# Turns per round trip. Subscribers of the first turns get their events while later batches are
# still being sent.
BATCH_SIZE = 50


class Flusher:
    def __init__(self, active_turns: ActiveTurns) -> None:
        self._active_turns = active_turns
        self._stopping = Event()
        self._is_failing = False

    def stop(self) -> None:
        """Make `run` return once no turn is running."""
        self._stopping.set()

    def run(self) -> None:
        """Flush every `CHAT_FLUSH_INTERVAL` seconds, even without a running turn.

        Waking this thread for the first turn would delay that turn's model call by 2 %.
        """
        while (turns := self._active_turns.all()) or not self._stopping.is_set():
            started = time.monotonic()
            if turns:
                self._try_flush(turns)
            time.sleep(max(0.0, started + chat_settings.FLUSH_INTERVAL - time.monotonic()))

    def _try_flush(self, turns: list[ActiveTurn]) -> None:
        """Flush; log an unavailable store once, not twenty times a second."""
        try:
            flush(turns)
        except StoreUnavailable as error:
            if not self._is_failing:
                logger.warning(
                    "Could not flush %d turns; will retry: %s", len(turns), error.__cause__
                )
            self._is_failing = True
        else:
            self._is_failing = False


def flush(turns: list[ActiveTurn]) -> None:
    """Write the turns' deltas to the store, in one round trip per `BATCH_SIZE` turns.

    Raises:
        StoreUnavailable: the store did not answer; the next flush sends the deltas again.
    """
    now = time.monotonic()
    writes: list[Write] = []
    for turn in turns:
        turn.check_timeouts(now)
        delta = turn.unflushed()
        if delta or turn.is_renewal_due(now):
            writes.append((turn, delta))
    for first in range(0, len(writes), BATCH_SIZE):
        _write_batch(writes[first : first + BATCH_SIZE], now)


def _write_batch(writes: list[Write], now: float) -> None:
    results = leases.flush([(turn.lease, delta) for turn, delta in writes])
    for (turn, delta), result in zip(writes, results, strict=True):
        _apply_result(turn, delta, now, result=result)


def _apply_result(
    turn: ActiveTurn, delta: Delta | None, now: float, *, result: bool | Exception
) -> None:
    if isinstance(result, StoreUnavailable):
        return  # the next flush sends the delta again
    if isinstance(result, Exception):
        turn.stop(_stop_cause(turn, result))
        return
    turn.mark_flushed(delta, now)
    is_cancel_requested = result
    if is_cancel_requested:
        turn.stop(StopCause.CANCELLED)


def _stop_cause(turn: ActiveTurn, error: Exception) -> StopCause:
    if isinstance(error, TurnLost):
        return StopCause.LOST
    # Stop this turn only: the error does not affect the others.
    with log_context(session=turn.lease.session_id):
        logger.error("Could not flush the turn: %s", error)
    return StopCause.WRITE_FAILED
