"""The turns that this process is running, shared by the task of each turn and the flusher.

The turn's task reads the model's stream and appends deltas. The flusher writes them to the store,
checks the timeouts and stops the model call. Both run on the event loop.
"""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chat.domain import Claim, Delta, StopCause, Timeouts
from chat.domain.budgets import Reservation
from chat.domain.errors import UpstreamClosed
from chat.providers.call_timeouts import CallTimeouts
from chat.settings import chat_settings
from chat.store.message_json import escape_reasoning, json_escape

# Seconds for which a stopping process retries to write the outcomes of its turns. The process
# manager kills it a few seconds later, and the turns are recovered when their leases expire.
FINAL_WRITE_TIMEOUT = 3.0
# UTF-8 bytes of a reply's reasoning that are kept.
MAX_REASONING_BYTES = 64 * 1024


class ActiveTurn:
    """One turn between claim and finish. Times are `time.monotonic()` seconds."""

    def __init__(self, claim: Claim, timeouts: Timeouts, *, prompt_tokens: int = 0) -> None:
        self.lease = claim.lease
        self.caller = claim.model_caller
        # Estimated.
        self.prompt_tokens = prompt_tokens
        # What the call may cost; `None` if no budget limits it.
        self.reservation: Reservation | None = None
        # Whether the vendor did not run the model, so that the call costs nothing.
        self.was_rejected = False
        # Why this process stopped the call; `None` if it did not.
        self.stop_cause: StopCause | None = None
        # UTF-8 bytes of the reply so far, before escaping.
        self.output_bytes = 0
        # UTF-8 bytes of the reasoning so far, kept or not.
        self.reasoning_bytes = 0
        # The task while it calls the model.
        self._caller: asyncio.Task[None] | None = None
        self._timeouts = CallTimeouts(timeouts)
        now = self._timeouts.started_at
        self._deadline = now + min(timeouts.total, claim.seconds_left)
        self._renewal_at = now + chat_settings.LEASE_RENEWAL_INTERVAL
        self._flushed_escaped_bytes = 0
        self._unflushed_escaped = b""

    @property
    def has_output(self) -> bool:
        return self.output_bytes > 0

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Let `stop` cancel the block, which calls the model.

        Raises:
            UpstreamClosed: it was stopped.
        """
        self.raise_if_stopped()
        task = asyncio.current_task()
        self._caller = task
        try:
            yield
        except asyncio.CancelledError:
            if self.stop_cause is None or task is None:
                raise  # the process ends
            task.uncancel()
            raise UpstreamClosed from None
        finally:
            self._caller = None

    def raise_if_stopped(self) -> None:
        """Check whether the call was stopped.

        Raises:
            UpstreamClosed
        """
        if self.stop_cause is not None:
            raise UpstreamClosed

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
        self._unflushed_escaped += json_escape(delta)
        self._timeouts.record_text()

    def record_activity(self) -> None:
        """Record activity without text: reasoning, or a comment in the stream."""
        self._timeouts.record_activity()

    def append_reasoning(self, delta: str, *, is_kept: bool) -> None:
        """Count reasoning, and add it to the next flush if it is kept; it is no output.

        What exceeds `MAX_REASONING_BYTES` is dropped.
        """
        self.record_activity()
        plain = delta.encode(errors="replace")  # halves of surrogate pairs
        room = max(0, MAX_REASONING_BYTES - self.reasoning_bytes)
        self.reasoning_bytes += len(plain)
        kept = plain[:room].decode(errors="ignore") if is_kept else ""
        if kept:
            self._unflushed_escaped += escape_reasoning(kept)

    def stop(self, cause: StopCause) -> None:
        """Stop the model call, once: `calling` raises `UpstreamClosed`.

        The turn's own task must call `raise_if_stopped` afterwards.
        """
        if self.stop_cause is not None:
            return
        self.stop_cause = cause
        if self._caller is not None and self._caller is not asyncio.current_task():
            self._caller.cancel()

    def check_timeouts(self, now: float) -> None:
        """Stop the call if one of its timeouts has passed."""
        if now >= self._deadline:
            self.stop(StopCause.DEADLINE)
        elif now >= self._timeouts.next_timeout()[0]:
            self.stop(StopCause.EVENT_TIMEOUT)

    def unflushed(self) -> Delta | None:
        """Return the text that the store may not have yet, or `None`."""
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
        """Record that the store has `delta`, and that two thirds of the lease are left at least."""
        self._renewal_at = now + chat_settings.LEASE_RENEWAL_INTERVAL
        if delta is None:
            return
        self._flushed_escaped_bytes += len(delta.escaped)
        self._unflushed_escaped = self._unflushed_escaped[len(delta.escaped) :]


class ActiveTurns:
    """The running turns. Other threads may read `is_draining` and the number of turns."""

    def __init__(self) -> None:
        self._turns: set[ActiveTurn] = set()
        # Whether the process stops, and should claim no turn.
        self.is_draining = False
        # `time.monotonic()` after which writes of outcomes are no longer retried.
        self.give_up_at = math.inf

    def __len__(self) -> int:
        return len(self._turns)

    def add(self, turn: ActiveTurn) -> None:
        self._turns.add(turn)

    def remove(self, turn: ActiveTurn) -> None:
        self._turns.discard(turn)

    def all(self) -> list[ActiveTurn]:
        return list(self._turns)

    def stop_all(self) -> None:
        """Stop all calls, because the process stops."""
        self.give_up_at = time.monotonic() + FINAL_WRITE_TIMEOUT
        for turn in self.all():
            turn.stop(StopCause.DRAIN)


# All running turns of this process.
active_turns = ActiveTurns()
