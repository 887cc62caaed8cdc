"""Long-polls of sessions.

A poll of a growing reply returns at most four times a second. It is built from the events that its
subscriber has received, so it costs Redis no more than an event stream does. After a response the
subscriber is parked for a few seconds: the client's next poll takes it, and need not read.
"""

import asyncio
from collections import defaultdict
from contextlib import ExitStack, suppress
from enum import Enum, auto

from chat.domain import Caller, Snapshot
from chat.domain.errors import RateLimited
from chat.realtime import session_events
from chat.realtime.growing_reply import GrowingReply, is_progress
from chat.realtime.snapshot_reader import snapshot_reader
from chat.settings import chat_settings
from chat.store.subscriptions import hub

# Seconds between responses with a growing reply.
GROWTH_INTERVAL = 0.25
# Seconds for which the first progress waits for more, so that a short reply takes one response.
GATHER_TIME = 0.05
# Seconds for which the client's next poll finds its subscriber.
PARKING_TIME = 5.0
# Seconds after which a session is read again: no event is published when it expires.
MAX_AGE = 5.0


class Change(Enum):
    """What has happened during a poll."""

    NOTHING = auto()
    # Of the running reply only.
    PROGRESS = auto()
    OTHER = auto()
    # Redis lost events, for example in a failover to an older replica.
    UNKNOWN = auto()


class Poll:
    """Successive long-polls of one client, which share a subscriber."""

    def __init__(self, caller: Caller, *, limit: int, seq: int) -> None:
        """Subscribe. limit: max messages; seq: the client's cursor.

        Raises:
            RateLimited: the session has too many subscribers.
        """
        self.caller, self.limit = caller, limit
        self._subscription = ExitStack()
        self._subscriber = self._subscription.enter_context(
            session_events.subscribe(caller, after=seq)
        )
        # The client's cursor; seq of the last event that was received; the events between them.
        self._seq = self._received = seq
        self._events: list[bytes] = []
        # Of the last response, up to the client's cursor.
        self._reply: GrowingReply | None = None
        # By the loop's clock: when the session was read, and until when progress is delayed.
        self._read_at = self._delayed_until = 0.0
        self._expiry: asyncio.TimerHandle | None = None

    def serves(self, caller: Caller, limit: int, seq: int) -> bool:
        """Return whether the subscriber has got the event `seq`, and gets all later ones."""
        is_same = caller == self.caller and limit == self.limit
        has_received = self._seq <= seq <= self._subscriber.cursor
        return is_same and has_received and self.is_open

    @property
    def is_open(self) -> bool:
        return not self._subscriber.is_closed

    def park(self) -> None:
        """Keep the subscriber for the client's next poll."""
        parked = _parked[self.caller.session_id]
        if len(parked) >= chat_settings.MAX_SUBSCRIBERS:
            parked[0].close()
        _parked[self.caller.session_id].append(self)
        self._subscriber.is_parked = True
        self._expiry = asyncio.get_running_loop().call_later(PARKING_TIME, self.close)

    def resume(self, seq: int) -> None:
        """Take the subscriber again, for a poll whose cursor is `seq`."""
        self._unpark()
        if seq != self._seq:
            self._seq, self._reply = seq, None

    def close(self) -> None:
        self._unpark()
        self._subscription.close()

    def _unpark(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry, self._subscriber.is_parked = None, False
            parked = _parked[self.caller.session_id]
            parked.remove(self)
            if not parked:
                del _parked[self.caller.session_id]

    async def next(self, *, after: int, known: int, wait: float) -> Snapshot | None:
        """Return the session once it has changed, or after `wait` seconds; see `wait_for_change`.

        Raises:
            SessionNotFound, SessionExpired, SlowConsumer, StoreUnavailable
        """
        change = await self._wait(wait)
        if change is Change.UNKNOWN:
            after = known = -1
        is_fresh = asyncio.get_running_loop().time() < self._read_at + MAX_AGE
        if change is Change.PROGRESS and self._reply and is_fresh and known < 0 <= after:
            snapshot = self._reply.extend(self._events, self._received)
            if snapshot is not None:
                self._continue(snapshot)
                return snapshot
        snapshot = await _read(self.caller, after=after, known=known, limit=self.limit)
        if change is Change.UNKNOWN:
            self.close()
        elif snapshot is not None:
            self.start(snapshot)
        return snapshot

    async def _wait(self, seconds: float) -> Change:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            batch = await self._subscriber.next(left)
            if batch is None:
                break
            if batch.first_seq != self._received + 1:
                return Change.UNKNOWN
            new = batch.events[max(0, self._seq - self._received) :]
            self._received = batch.last_seq
            self._events += new
            if not is_progress(new):
                return Change.OTHER
            if new:
                until = min(until, max(self._delayed_until, loop.time() + GATHER_TIME))
        return Change.PROGRESS if self._events else Change.NOTHING

    def start(self, snapshot: Snapshot) -> None:
        """Continue after a response with a session that was read."""
        self._reply = GrowingReply.find(snapshot)
        self._read_at = asyncio.get_running_loop().time()
        if snapshot.seq < self._received:  # the response was cut: events are missing
            self.close()
        self._continue(snapshot)

    def _continue(self, snapshot: Snapshot) -> None:
        self._seq, self._events = snapshot.seq, []
        has_text = self._reply is None or not self._reply.is_empty
        if snapshot.is_running and has_text:
            self._delayed_until = asyncio.get_running_loop().time() + GROWTH_INTERVAL


# Polls between two requests, the newest last, by session.
_parked: defaultdict[str, list[Poll]] = defaultdict(list)


async def wait_for_change(
    caller: Caller, *, after: int, known: int, limit: int, wait: float
) -> Snapshot | None:
    """Return the session as soon as it has changed, or after `wait` seconds.

    If the events do not continue from the cursor, for example after a failover to an older replica,
    all messages are returned, up to `limit`.

    after: return messages changed after this seq; -1 for all.
    known: the seq of the client's ETag; -1 for none. It replaces `after` as the seq since which
        a change is awaited. Without one in time, the result is `None`.

    Raises:
        SessionNotFound, SessionExpired: before or while waiting.
        RateLimited: the session has too many subscribers.
        StoreUnavailable
    """
    if not wait:
        return await _read(caller, after=after, known=known, limit=limit)
    cursor = known if known >= 0 else after
    poll = _unpark(caller, limit, cursor)
    if poll is None:
        snapshot = await _read(caller, after=after, known=cursor, limit=limit)
        if snapshot is not None:
            _expect_next_poll(caller, limit, snapshot)
            return snapshot
        poll = Poll(caller, limit=limit, seq=cursor)
    with ExitStack() as stack:
        stack.callback(poll.close)
        snapshot = await poll.next(after=after, known=known, wait=wait)
        if poll.is_open:
            stack.pop_all()
            poll.park()
    return snapshot


def _unpark(caller: Caller, limit: int, cursor: int) -> Poll | None:
    for poll in reversed(_parked.get(caller.session_id, ())):
        if poll.serves(caller, limit, cursor):
            hub().check_capacity(caller)
            poll.resume(cursor)
            return poll
    return None


def _expect_next_poll(caller: Caller, limit: int, snapshot: Snapshot) -> None:
    """Subscribe if a reply is running. Otherwise the next poll may find a change immediately."""
    if snapshot.is_running:
        with suppress(RateLimited):
            poll = Poll(caller, limit=limit, seq=snapshot.seq)
            poll.start(snapshot)
            poll.park()


async def _read(caller: Caller, *, after: int, known: int, limit: int) -> Snapshot | None:
    return await snapshot_reader().read(caller, known=known, after=after, limit=limit)
