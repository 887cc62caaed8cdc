"""Those who follow sessions."""

import asyncio
from collections.abc import Callable

from chat.domain import Caller, Stretch
from chat.domain.errors import ParleyError, SlowConsumer
from chat.settings import chat_settings
from chat.store.events import NOWHERE, Log, Place

Cut = Callable[[], None]
PARTING = 3.0
"""Seconds in which one who has come to an error can read of it before it is hung up on."""


def uncut() -> None:
    """Do nothing: for those who have nothing to be cut."""


class Follower:
    """One who follows a session: what is to come after a cursor.

    At the log's end, once it was read for there, it is handed what happens; what it does not take
    in time is held, up to a bound. Further back, and so after a pause, events are read for it only
    when it has taken everything; whether it may still follow is found out all the same.
    """

    __slots__ = (
        "_ask",
        "_cut",
        "_error",
        "_hang_up",
        "_held",
        "_is_cut",
        "_is_live",
        "_is_over",
        "_stretches",
        "_taken",
        "_taken_at",
        "_waiter",
        "caller",
        "cursor",
        "is_known",
        "is_sure",
        "log",
        "stamp",
        "was_read_for",
    )

    def __init__(
        self,
        caller: Caller,
        log: Log,
        *,
        after: int,
        ask: Callable[["Follower"], None],
        cut: Cut,
        hang_up: Cut,
    ) -> None:
        self.caller = caller
        self.log = log
        self.cursor = after
        """Seq of the last event that was handed."""
        self.stamp = b""
        """Of that event; see `Stretch`."""
        self.is_sure = False
        """Whether that event was found to be there, since Redis may last have been set back."""
        self.is_known = False
        """Whether the caller's token was good at least once."""
        self.was_read_for = False
        """Since the last look."""
        self._ask = ask
        self._cut = cut
        self._hang_up = hang_up
        self._stretches: list[Stretch] = []
        self._held = 0
        """Bytes."""
        self._taken = 0
        """Bytes of the stretch taken last, which count as held until the next one is asked for."""
        self._taken_at = 0.0
        """When anything was taken that is not done with, by the event loop's clock; else 0."""
        self._is_cut = False
        self._is_live = False
        self._is_over = False
        self._error: ParleyError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_read_for(self) -> bool:
        """Whether it may have to be told more, if only that it may not follow any more."""
        return not self._is_over

    @property
    def place(self) -> Place:
        """Where it stands, or `NOWHERE` while it has enough to take."""
        wants_more = self._is_live or not self._stretches
        cursor = self.cursor if wants_more else NOWHERE
        return Place(self.log, self.caller.token_hash, cursor, self.stamp, self.is_sure)

    @property
    def is_over(self) -> bool:
        """Whether nothing will come any more, not even an error."""
        return self._is_over and not self._stretches and self._error is None

    def is_just_before(self, stretch: Stretch) -> bool:
        """Whether it may be handed these events without a reading."""
        return self._is_live and self.cursor + 1 == stretch.first

    def hand(self, stretch: Stretch) -> None:
        """Give it what was read at its place."""
        if self._is_over:
            return
        self.is_known = True
        is_news = bool(stretch.events) or stretch.last != self.cursor
        if is_news and self._is_live and self._held > chat_settings.MAX_BUFFERED_BYTES:
            self._cut_off()
            return
        self._is_live = stretch.last == stretch.newest
        if is_news or stretch.stamp:
            self.stamp = stretch.stamp
        if is_news:
            self.cursor = stretch.last
            self._stretches.append(stretch)
            self._held += stretch.size
            self._wake()

    def must_have_asked(self, since: float) -> None:
        """Cut it off if it took something before that time and has not asked for more."""
        if 0 < self._taken_at < since and not self._is_cut:
            self._cut_off()

    def _cut_off(self) -> None:
        self._is_cut = True
        self._stretches.clear()
        self.end(SlowConsumer())
        self._cut()

    def end(self, error: ParleyError | None = None) -> None:
        """Let it come to an end, or to the error, when it has taken what is held.

        An error is followed by hanging up soon, whatever was taken by then.
        """
        if not self._is_over:
            self._is_over, self._error = True, error
            self._wake()
            if error is not None:
                asyncio.get_running_loop().call_later(PARTING, self._hang_up)

    def skip_to(self, seq: int) -> None:
        """Go on from there; what is held is of no use."""
        self._stretches.clear()
        self._held = self._taken = 0
        self._is_live = False
        self.cursor, self.stamp, self.is_sure = seq, b"", False

    async def next(self, within: float | None = None) -> Stretch | None:
        """Return what comes next, or `None` after `within` seconds without anything, or at the end.

        Raises:
            SessionNotFound, SessionExpired: or they have become so.
            SlowConsumer: too little of what has happened was taken in time.
        """
        self._held -= self._taken
        self._taken, self._taken_at = 0, 0.0
        if not self._stretches and not self._is_over:
            if not self._is_live:
                self._ask(self)
            await self._wait(within)
        self._taken_at = asyncio.get_running_loop().time()
        if self._stretches:
            stretch = self._stretches.pop(0)
            self._taken = stretch.size
            return stretch
        if self._error is not None:
            raise self._error
        return None

    async def _wait(self, within: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        # `asyncio.wait` and its like would take five times as long, for each event.
        timer = None if within is None else loop.call_later(within, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
