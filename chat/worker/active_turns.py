"""The turns that this process is writing, and what their two threads share.

One thread reads the model and says deltas; the flusher takes them to the store, watches the clock
and ends the call when it must end.
"""

import math
import time
from threading import Condition, Lock

from chat.domain import Claim, Delta, StopCause, Timeouts
from chat.http.cancellation import CancellableCall
from chat.settings import chat_settings
from chat.store.message_json import json_escape

FINAL_WRITE_TIMEOUT = 3.0
"""Seconds for which a process that stops tries to tell a store that gives no answer what has become
of its turns. Whoever has told it to stop kills it some seconds later, and the turns' leases do the
rest."""


class ActiveTurn:
    """One turn between claim and finish. Times are `time.monotonic()` seconds."""

    def __init__(self, claim: Claim, timeouts: Timeouts, call: CancellableCall) -> None:
        now = time.monotonic()
        self.lease = claim.lease
        self.stopped: StopCause | None = None
        """Why this side ended the call; `None` while it has not."""
        self.call = call
        self._timeouts = timeouts
        self._deadline = now + min(timeouts.total, claim.seconds_left)
        self._next_delta_by = now + timeouts.first_delta
        self._heartbeat_at = now + chat_settings.HEARTBEAT_INTERVAL
        self._lock = Lock()
        self._flushed = 0
        self._unflushed = b""
        self.output_bytes = 0
        """UTF-8 bytes of the reply so far."""

    @property
    def has_output(self) -> bool:
        """Whether the model has given any text."""
        return self.output_bytes > 0

    def append(self, delta: str) -> None:
        """Gather a delta for the next flush; one that exceeds `REPLY_BYTES` is cut and ends it."""
        text = delta.encode()
        room = chat_settings.MAX_REPLY_BYTES - self.output_bytes
        if len(text) > room:
            delta = text[:room].decode(errors="ignore")
            self.stop(StopCause.TOO_LONG)
        self.output_bytes += len(text)
        with self._lock:
            self._unflushed += json_escape(delta)
        self._next_delta_by = time.monotonic() + self._timeouts.between_deltas

    def stop(self, cause: StopCause) -> None:
        """End the model call, once; the thread that reads it learns by `UpstreamClosed`."""
        if self.stopped is None:
            self.stopped = cause
            self.call.cancel()

    def check_timeouts(self, now: float) -> None:
        """Stop the call when one of its clocks has run out."""
        if now >= self._deadline:
            self.stop(StopCause.DEADLINE)
        elif now >= self._next_delta_by:
            self.stop(StopCause.SILENCE)

    def unflushed(self) -> Delta | None:
        """Return what the store is not known to hold yet, or `None`."""
        with self._lock:
            if not self._unflushed:
                return None
            return Delta(offset=self._flushed, fragment=self._unflushed)

    def remaining(self) -> Delta:
        """Return the last piece, which may be empty."""
        return self.unflushed() or Delta(offset=self._flushed, fragment=b"")

    def is_heartbeat_due(self, now: float) -> bool:
        """Whether the lease wants a sign of life."""
        return now >= self._heartbeat_at

    def mark_flushed(self, said: Delta | None, now: float) -> None:
        """Note that the store holds `said`, and has had a sign of life."""
        self._heartbeat_at = now + chat_settings.HEARTBEAT_INTERVAL
        if said is None:
            return
        with self._lock:
            self._flushed += len(said.fragment)
            self._unflushed = self._unflushed[len(said.fragment) :]


class ActiveTurns:
    """The running turns of this process."""

    def __init__(self) -> None:
        self._turns: set[ActiveTurn] = set()
        self._changed = Condition()
        self.is_draining = False
        self.give_up_at = math.inf
        """`time.monotonic()` at which whoever cannot write an outcome gives up."""

    def add(self, turn: ActiveTurn) -> None:
        """Put the turn into the flusher's care."""
        with self._changed:
            self._turns.add(turn)

    def remove(self, turn: ActiveTurn) -> None:
        """Take the turn out of the flusher's care."""
        with self._changed:
            self._turns.discard(turn)
            self._changed.notify_all()

    def all(self) -> list[ActiveTurn]:
        """Return the turns in the flusher's care."""
        with self._changed:
            return list(self._turns)

    def drain(self, timeout: float) -> None:
        """Let the turns go on for `seconds`, then stop those that are left.

        From now on `is_draining` is true, and nobody should claim another one.
        """
        self.is_draining = True
        with self._changed:
            self._changed.wait_for(lambda: not self._turns, timeout)
        self.give_up_at = time.monotonic() + FINAL_WRITE_TIMEOUT
        for turn in self.all():
            turn.stop(StopCause.DRAIN)


active_turns = ActiveTurns()
"""The running turns of this process."""
