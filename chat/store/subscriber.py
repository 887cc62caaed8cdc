"""The subscribers to a session's events."""

import asyncio
from collections.abc import Callable

from chat.buffers import Buffer, buffer_limit
from chat.callbacks import Callback
from chat.domain import Caller, EventBatch
from chat.domain.errors import ParleyError, SlowConsumer
from chat.settings import chat_settings
from chat.store.events import NO_POSITION, LogKeys, Position

# Seconds in which a client can read the error before its connection is aborted.
CLOSE_GRACE = 3.0
# Buffered events of this many bytes are counted together with those of other subscribers.
MIN_COUNTED_BYTES = 64 * 1024


class Subscriber:
    """Receives the events of a session after a cursor.

    At the end of the log, new events are pushed to it and buffered, up to a limit. Further back,
    events are read for it only when it has consumed all earlier ones; until then, reads check its
    token only.
    """

    __slots__ = (
        "_abort",
        "_batches",
        "_buffer",
        "_buffered_bytes",
        "_delivered_at",
        "_delivered_bytes",
        "_error",
        "_has_overflowed",
        "_is_live",
        "_on_overflow",
        "_request_read",
        "_waiter",
        "caller",
        "cursor",
        "is_closed",
        "is_parked",
        "is_verified",
        "keys",
        "last_event_time",
        "read_at",
        "was_authorized",
    )

    def __init__(
        self,
        caller: Caller,
        keys: LogKeys,
        *,
        after: int,
        request_read: Callable[["Subscriber"], None],
        on_overflow: Callback,
        abort: Callback,
    ) -> None:
        self.caller = caller
        self.keys = keys
        # Seq of the last event that was pushed.
        self.cursor = after
        # When that event was created; see `EventBatch`.
        self.last_event_time = b""
        # The log was checked to contain that event. A failover to an older replica, which shows as
        # a reconnect, may have removed it.
        self.is_verified = False
        # The token was valid in at least one read.
        self.was_authorized = False
        # Time of the last read, by the event loop's clock.
        self.read_at = 0.0
        self.is_closed = False
        # Waits for the next request of its client, and does not count as one of the session.
        self.is_parked = False
        self._request_read = request_read
        self._on_overflow = on_overflow
        self._abort = abort
        self._batches: list[EventBatch] = []
        self._buffered_bytes = 0
        # Created when it is first needed.
        self._buffer: Buffer | None = None
        # Size of the last batch that `next` returned. It counts as buffered until the next call.
        self._delivered_bytes = 0
        # When `next` returned, by the event loop's clock; 0 while it waits.
        self._delivered_at = 0.0
        self._has_overflowed = False
        # Whether the cursor is at the end of the log.
        self._is_live = False
        self._error: ParleyError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def position(self) -> Position:
        """Where to read next; without a cursor while there are batches to consume first."""
        wants_events = self._is_live or not self._batches
        cursor = self.cursor if wants_events else NO_POSITION
        return Position(
            self.keys, self.caller.credential, cursor, self.last_event_time, self.is_verified
        )

    @property
    def is_finished(self) -> bool:
        """Nothing is left to return or raise."""
        return self.is_closed and not self._batches and self._error is None

    def is_next(self, batch: EventBatch) -> bool:
        """Return whether the batch may be pushed without a read."""
        return self._is_live and self.cursor + 1 == batch.first_seq

    def push(self, batch: EventBatch) -> None:
        """Add the events that follow the cursor."""
        if self.is_closed:
            return
        self.was_authorized = True
        is_new = bool(batch.events) or batch.last_seq != self.cursor
        if is_new and self._is_live and self._buffered_bytes > chat_settings.MAX_BUFFERED_BYTES:
            self._overflow()
            return
        self._is_live = batch.last_seq == batch.latest_seq
        if is_new or batch.last_event_time:
            self.last_event_time = batch.last_event_time
        if is_new:
            self.cursor = batch.last_seq
            self._batches.append(batch)
            self._buffered_bytes += batch.size
            self._wake()
            if self._buffered_bytes > MIN_COUNTED_BYTES:
                self._count_buffer()

    def _count_buffer(self) -> None:
        if self._buffer is None:
            self._buffer = Buffer(
                self.caller.session_id, lambda: self._buffered_bytes, self._overflow
            )
        buffer_limit.count(self._buffer)

    def _uncount_buffer(self) -> None:
        if self._buffer is not None:
            buffer_limit.remove(self._buffer)
            self._buffer = None

    def check_write_timeout(self, sent_before: float) -> None:
        """Disconnect a client that still processes a batch sent before that time."""
        if 0 < self._delivered_at < sent_before and not self._has_overflowed:
            self._overflow()

    def _overflow(self) -> None:
        self._has_overflowed = True
        self._batches.clear()
        self.close(SlowConsumer())
        self._on_overflow()

    def close(self, error: ParleyError | None = None) -> None:
        """Accept no more events. Buffered ones are still returned, and then the error is raised.

        After an error the connection is aborted `CLOSE_GRACE` seconds later.
        """
        if not self.is_closed:
            self.is_closed, self._error = True, error
            self._wake()
            self._uncount_buffer()
            if error is not None:
                asyncio.get_running_loop().call_later(CLOSE_GRACE, self._abort)

    def seek(self, seq: int) -> None:
        """Continue after `seq`, and drop what is buffered."""
        self._batches.clear()
        self._buffered_bytes = self._delivered_bytes = 0
        self._is_live = False
        self.cursor, self.last_event_time, self.is_verified = seq, b"", False

    async def next(self, max_wait: float | None = None) -> EventBatch | None:
        """Return the next batch, or `None` after `max_wait` seconds without one or when closed.

        Raises:
            SessionNotFound, SessionExpired: the session has ended, or the token is not valid.
            SlowConsumer: the client was too slow.
        """
        self._buffered_bytes -= self._delivered_bytes
        self._delivered_bytes, self._delivered_at = 0, 0.0
        if self._buffer is not None and self._buffered_bytes <= MIN_COUNTED_BYTES:
            self._uncount_buffer()
        if not self._batches and not self.is_closed:
            if not self._is_live:
                self._request_read(self)
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            # `asyncio.wait` and `asyncio.timeout` would take five times as long for each event.
            timer = None if max_wait is None else loop.call_later(max_wait, self._wake)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._delivered_at = asyncio.get_running_loop().time()
        if self._batches:
            batch = self._batches.pop(0)
            self._delivered_bytes = batch.size
            return batch
        if self._error is not None:
            raise self._error
        return None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Channel:
    """The subscribers of one session."""

    __slots__ = ("end_error", "keys", "subscribers")

    def __init__(self, keys: LogKeys) -> None:
        self.keys = keys
        self.subscribers: set[Subscriber] = set()
        # Why the session has ended, once a message said so.
        self.end_error: type[ParleyError] | None = None

    @property
    def is_full(self) -> bool:
        active = sum(not subscriber.is_parked for subscriber in self.subscribers)
        return active >= chat_settings.MAX_SUBSCRIBERS
