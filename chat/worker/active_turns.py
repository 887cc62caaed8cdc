"""The turns that this process is running, shared by the thread of each turn and the flusher.

The turn's thread reads the model's stream and appends deltas. The flusher writes them to the store,
checks the timeouts and stops the model call.
"""

import math
import time
from threading import Condition, Lock

from chat.domain import Claim, Delta, StopCause, Timeouts
from chat.domain.budgets import Reservation
from chat.http.cancellation import CancellableCall
from chat.providers.call_timeouts import CallTimeouts
from chat.settings import chat_settings
from chat.store.message_json import json_escape

# Seconds for which a stopping process retries to write the outcomes of its turns. The process
# manager kills it a few seconds later, and the turns are recovered when their leases expire.
FINAL_WRITE_TIMEOUT = 3.0


class ActiveTurn:
    """One turn between claim and finish. Times are `time.monotonic()` seconds."""

    def __init__(
        self, claim: Claim, timeouts: Timeouts, call: CancellableCall, *, prompt_tokens: int = 0
    ) -> None:
        self.lease = claim.lease
        # Estimated.
        self.prompt_tokens = prompt_tokens
        # What the call may cost; `None` if no budget limits it.
        self.reservation: Reservation | None = None
        # Whether the vendor did not run the model, so that the call costs nothing.
        self.was_rejected = False
        # Why this process stopped the call; `None` if it did not.
        self.stop_cause: StopCause | None = None
        self.call = call
        # UTF-8 bytes of the reply so far, before escaping.
        self.output_bytes = 0
        self._timeouts = CallTimeouts(timeouts)
        now = self._timeouts.started_at
        self._deadline = now + min(timeouts.total, claim.seconds_left)
        self._renewal_at = now + chat_settings.LEASE_RENEWAL_INTERVAL
        self._lock = Lock()
        self._flushed_escaped_bytes = 0
        self._unflushed_escaped = b""

    @property
    def has_output(self) -> bool:
        return self.output_bytes > 0

    def append(self, delta: str) -> None:
        """Add a delta, plain text, to the next flush. A flush writes JSON-escaped bytes.

        A delta that exceeds `CHAT_MAX_REPLY_BYTES` is truncated, and ends the call. A provider that
        sends more before it stops adds nothing.
        """
        plain = delta.encode()
        room = chat_settings.MAX_REPLY_BYTES - self.output_bytes
        if len(plain) > room:
            delta = plain[:room].decode(errors="ignore")
            self.stop(StopCause.TOO_LONG)
        self.output_bytes += min(len(plain), room)
        with self._lock:
            self._unflushed_escaped += json_escape(delta)
        self._timeouts.record_text()

    def record_activity(self) -> None:
        """Record activity without text: reasoning, or a comment in the stream."""
        self._timeouts.record_activity()

    def stop(self, cause: StopCause) -> None:
        """Stop the model call, once; the thread that reads it gets `UpstreamClosed`."""
        if self.stop_cause is None:
            self.stop_cause = cause
            self.call.cancel()

    def check_timeouts(self, now: float) -> None:
        """Stop the call if one of its timeouts has passed."""
        if now >= self._deadline:
            self.stop(StopCause.DEADLINE)
        elif now >= self._timeouts.next_timeout()[0]:
            self.stop(StopCause.EVENT_TIMEOUT)

    def unflushed(self) -> Delta | None:
        """Return the text that the store may not have yet, or `None`."""
        with self._lock:
            if not self._unflushed_escaped:
                return None
            return Delta(
                offset=self._flushed_escaped_bytes,
                escaped=self._unflushed_escaped,
                prompt_tokens=self.prompt_tokens,
            )

    def remaining(self) -> Delta:
        """Return the last delta, which may be empty."""
        return self.unflushed() or Delta(offset=self._flushed_escaped_bytes, escaped=b"")

    def is_renewal_due(self, now: float) -> bool:
        return now >= self._renewal_at

    def mark_flushed(self, delta: Delta | None, now: float) -> None:
        """Record that the store has `delta`, and has renewed the lease."""
        self._renewal_at = now + chat_settings.LEASE_RENEWAL_INTERVAL
        if delta is None:
            return
        with self._lock:
            self._flushed_escaped_bytes += len(delta.escaped)
            self._unflushed_escaped = self._unflushed_escaped[len(delta.escaped) :]


class ActiveTurns:
    def __init__(self) -> None:
        self._turns: set[ActiveTurn] = set()
        self._changed = Condition()
        self.is_draining = False
        # `time.monotonic()` after which writes of outcomes are no longer retried.
        self.give_up_at = math.inf

    def add(self, turn: ActiveTurn) -> None:
        with self._changed:
            self._turns.add(turn)

    def remove(self, turn: ActiveTurn) -> None:
        with self._changed:
            self._turns.discard(turn)
            self._changed.notify_all()

    def all(self) -> list[ActiveTurn]:
        with self._changed:
            return list(self._turns)

    def drain(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the turns to end, then stop the remaining ones.

        Sets `is_draining`, after which no turn should be claimed.
        """
        self.is_draining = True
        with self._changed:
            self._changed.wait_for(lambda: not self._turns, timeout)
        self.give_up_at = time.monotonic() + FINAL_WRITE_TIMEOUT
        for turn in self.all():
            turn.stop(StopCause.DRAIN)


# All running turns of this process.
active_turns = ActiveTurns()
