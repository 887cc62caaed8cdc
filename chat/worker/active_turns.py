"""The turns that this process is writing, and what their two threads share.

One thread reads the model and says deltas; the flusher takes them to the store, watches the clock
and ends the call when it must end.
"""

import math
import time
from threading import Condition, Lock

from chat.domain import Claim, Said, StopCause, Timeouts
from chat.http.cancellation import Upstream
from chat.settings import chat_settings
from chat.store.message_json import json_escape

LAST_TRIES = 3.0
"""Seconds for which a process that stops tries to tell a store that gives no answer what has become
of its turns. Whoever has told it to stop kills it some seconds later, and the turns' leases do the
rest."""


class RunningTurn:
    """One turn between claim and finish. Times are `time.monotonic()` seconds."""

    def __init__(self, claim: Claim, timeouts: Timeouts, upstream: Upstream) -> None:
        now = time.monotonic()
        self.lease = claim.lease
        self.stopped: StopCause | None = None
        """Why this side ended the call; `None` while it has not."""
        self.upstream = upstream
        self._timeouts = timeouts
        self._ends_at = now + min(timeouts.total, claim.seconds_left)
        self._speaks_by = now + timeouts.first_delta
        self._beats_at = now + chat_settings.HEARTBEAT_INTERVAL
        self._lock = Lock()
        self._flushed = 0
        self._unflushed = b""
        self.said_bytes = 0
        """UTF-8 bytes of the reply so far."""

    @property
    def has_said(self) -> bool:
        """Whether the model has given any text."""
        return self.said_bytes > 0

    def say(self, delta: str) -> None:
        """Gather a delta for the next flush; one that exceeds `REPLY_BYTES` is cut and ends it."""
        text = delta.encode()
        room = chat_settings.MAX_REPLY_BYTES - self.said_bytes
        if len(text) > room:
            delta = text[:room].decode(errors="ignore")
            self.stop(StopCause.TOO_LONG)
        self.said_bytes += len(text)
        with self._lock:
            self._unflushed += json_escape(delta)
        self._speaks_by = time.monotonic() + self._timeouts.between_deltas

    def stop(self, cause: StopCause) -> None:
        """End the model call, once; the thread that reads it learns by `UpstreamClosed`."""
        if self.stopped is None:
            self.stopped = cause
            self.upstream.close()

    def watch(self, now: float) -> None:
        """Stop the call when one of its clocks has run out."""
        if now >= self._ends_at:
            self.stop(StopCause.DEADLINE)
        elif now >= self._speaks_by:
            self.stop(StopCause.SILENCE)

    def unflushed(self) -> Said | None:
        """Return what the store is not known to hold yet, or `None`."""
        with self._lock:
            if not self._unflushed:
                return None
            return Said(offset=self._flushed, fragment=self._unflushed)

    def rest(self) -> Said:
        """Return the last piece, which may be empty."""
        return self.unflushed() or Said(offset=self._flushed, fragment=b"")

    def is_silent_too_long(self, now: float) -> bool:
        """Whether the lease wants a sign of life."""
        return now >= self._beats_at

    def flushed(self, said: Said | None, now: float) -> None:
        """Note that the store holds `said`, and has had a sign of life."""
        self._beats_at = now + chat_settings.HEARTBEAT_INTERVAL
        if said is None:
            return
        with self._lock:
            self._flushed += len(said.fragment)
            self._unflushed = self._unflushed[len(said.fragment) :]


class Running:
    """The running turns of this process."""

    def __init__(self) -> None:
        self._turns: set[RunningTurn] = set()
        self._changed = Condition()
        self.is_draining = False
        self.tries_until = math.inf
        """`time.monotonic()` at which whoever cannot write an outcome gives up."""

    def enter(self, turn: RunningTurn) -> None:
        """Put the turn into the flusher's care."""
        with self._changed:
            self._turns.add(turn)

    def leave(self, turn: RunningTurn) -> None:
        """Take the turn out of the flusher's care."""
        with self._changed:
            self._turns.discard(turn)
            self._changed.notify_all()

    def all(self) -> list[RunningTurn]:
        """Return the turns in the flusher's care."""
        with self._changed:
            return list(self._turns)

    def drain(self, seconds: float) -> None:
        """Let the turns go on for `seconds`, then stop those that are left.

        From now on `is_draining` is true, and nobody should claim another one.
        """
        self.is_draining = True
        with self._changed:
            self._changed.wait_for(lambda: not self._turns, seconds)
        self.tries_until = time.monotonic() + LAST_TRIES
        for turn in self.all():
            turn.stop(StopCause.DRAIN)


running = Running()
"""The running turns of this process."""
