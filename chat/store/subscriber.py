"""Those who follow sessions."""

import asyncio
from collections.abc import Callable

from chat.domain import Caller, EventBatch
from chat.domain.errors import ParleyError, SlowConsumer
from chat.settings import chat_settings
from chat.store.events import NO_POSITION, LogKeys, Position

Callback = Callable[[], None]
CLOSE_GRACE = 3.0
"""Seconds in which one who has come to an error can read of it before it is hung up on."""


def noop() -> None:
    """Do nothing: for those who have nothing to be cut."""


class Subscriber:
    """One who follows a session: what is to come after a cursor.

    At the log's end, once it was read for there, it is handed what happens; what it does not take
    in time is held, up to a bound. Further back, and so after a pause, events are read for it only
    when it has taken everything; whether it may still follow is found out all the same.
    """

    __slots__ = (
        "_request_read",
        "_on_overflow",
        "_error",
        "_abort",
        "_buffered_bytes",
        "_has_overflowed",
        "_is_live",
        "_is_closed",
        "_batches",
        "_delivered_bytes",
        "_delivered_at",
        "_waiter",
        "caller",
        "cursor",
        "was_authorized",
        "is_verified",
        "log_keys",
        "last_event_time",
        "was_read",
    )

    def __init__(
        self,
        caller: Caller,
        log: LogKeys,
        *,
        after: int,
        request_read: Callable[["Subscriber"], None],
        on_overflow: Callback,
        abort: Callback,
    ) -> None:
        self.caller = caller
        self.log_keys = log
        self.cursor = after
        """Seq of the last event that was handed."""
        self.last_event_time = b""
        """Of that event; see `Stretch`."""
        self.is_verified = False
        """Whether that event was found to be there, since Redis may last have been set back."""
        self.was_authorized = False
        """Whether the caller's token was good at least once."""
        self.was_read = False
        """Since the last look."""
        self._request_read = request_read
        self._on_overflow = on_overflow
        self._abort = abort
        self._batches: list[EventBatch] = []
        self._buffered_bytes = 0
        """Bytes."""
        self._delivered_bytes = 0
        """Bytes of the stretch taken last, which count as held until the next one is asked for."""
        self._delivered_at = 0.0
        """When anything was taken that is not done with, by the event loop's clock; else 0."""
        self._has_overflowed = False
        self._is_live = False
        self._is_closed = False
        self._error: ParleyError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def needs_reads(self) -> bool:
        """Whether it may have to be told more, if only that it may not follow any more."""
        return not self._is_closed

    @property
    def position(self) -> Position:
        """Where it stands, or `NOWHERE` while it has enough to take."""
        wants_more = self._is_live or not self._batches
        cursor = self.cursor if wants_more else NO_POSITION
        return Position(
            self.log_keys, self.caller.token_hash, cursor, self.last_event_time, self.is_verified
        )

    @property
    def is_finished(self) -> bool:
        """Whether nothing will come any more, not even an error."""
        return self._is_closed and not self._batches and self._error is None

    def is_next(self, stretch: EventBatch) -> bool:
        """Whether it may be handed these events without a reading."""
        return self._is_live and self.cursor + 1 == stretch.first_seq

    def push(self, stretch: EventBatch) -> None:
        """Give it what was read at its place."""
        if self._is_closed:
            return
        self.was_authorized = True
        is_news = bool(stretch.events) or stretch.last_seq != self.cursor
        if is_news and self._is_live and self._buffered_bytes > chat_settings.MAX_BUFFERED_BYTES:
            self._overflow()
            return
        self._is_live = stretch.last_seq == stretch.latest_seq
        if is_news or stretch.last_event_time:
            self.last_event_time = stretch.last_event_time
        if is_news:
            self.cursor = stretch.last_seq
            self._batches.append(stretch)
            self._buffered_bytes += stretch.size
            self._wake()

    def check_write_timeout(self, since: float) -> None:
        """Cut it off if it took something before that time and has not asked for more."""
        if 0 < self._delivered_at < since and not self._has_overflowed:
            self._overflow()

    def _overflow(self) -> None:
        self._has_overflowed = True
        self._batches.clear()
        self.close(SlowConsumer())
        self._on_overflow()

    def close(self, error: ParleyError | None = None) -> None:
        """Let it come to an end, or to the error, when it has taken what is held.

        An error is followed by hanging up soon, whatever was taken by then.
        """
        if not self._is_closed:
            self._is_closed, self._error = True, error
            self._wake()
            if error is not None:
                asyncio.get_running_loop().call_later(CLOSE_GRACE, self._abort)

    def seek(self, seq: int) -> None:
        """Go on from there; what is held is of no use."""
        self._batches.clear()
        self._buffered_bytes = self._delivered_bytes = 0
        self._is_live = False
        self.cursor, self.last_event_time, self.is_verified = seq, b"", False

    async def next(self, timeout: float | None = None) -> EventBatch | None:
        """Return what comes next, or `None` after `within` seconds without anything, or at the end.

        Raises:
            SessionNotFound, SessionExpired: or they have become so.
            SlowConsumer: too little of what has happened was taken in time.
        """
        self._buffered_bytes -= self._delivered_bytes
        self._delivered_bytes, self._delivered_at = 0, 0.0
        if not self._batches and not self._is_closed:
            if not self._is_live:
                self._request_read(self)
            await self._wait(timeout)
        self._delivered_at = asyncio.get_running_loop().time()
        if self._batches:
            stretch = self._batches.pop(0)
            self._delivered_bytes = stretch.size
            return stretch
        if self._error is not None:
            raise self._error
        return None

    async def _wait(self, timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        # `asyncio.wait` and its like would take five times as long, for each event.
        timer = None if timeout is None else loop.call_later(timeout, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
