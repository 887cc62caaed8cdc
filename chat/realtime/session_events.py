"""Following a session: async, because it waits.

Reading is the store's ordinary, sync reading, in a thread: it takes well under a millisecond, and
there is one colour of store. Only the waiting is async, because it takes no thread.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import orjson

from chat.conversation import sessions
from chat.domain import Caller, EventBatch, Gap, Snapshot
from chat.domain.errors import (
    InvalidToken,
    NotAllowed,
    NotFound,
    ParleyError,
    SessionExpired,
    SessionNotFound,
)
from chat.realtime.batching import Batcher
from chat.store import server_info
from chat.store.sessions import Poll, snapshots_if_changed
from chat.store.subscriber import Callback, Subscriber, noop
from chat.store.subscriptions import hub


@contextmanager
def subscribe(
    caller: Caller, *, after: int, cut: Callback = noop, hang_up: Callback = noop
) -> Iterator[Subscriber]:
    """Be one of those who follow the session, for as long as the context lasts.

    cut: called when what was yielded of the follower's `events` is not done with in
    `SOCKET_PATIENCE` seconds, or while more than `SOCKET_BYTES` wait; it is to end the waiting.
    hang_up: called soon after that, and after the session or the caller's token has ended; it is to
    end the connection, if that still stands.

    Raises:
        RateLimited: the session has too many followers.
    """
    followers = hub()
    follower = followers.subscribe(caller, after=after, on_overflow=cut, abort=hang_up)
    try:
        yield follower
    finally:
        followers.unsubscribe(follower)


async def events(
    follower: Subscriber, *, after: int, silence: float | None = None
) -> AsyncGenerator[EventBatch | Gap | None]:
    """Yield what happens in the session after the cursor, each event once and in order.

    after: the cursor that the follower began with. silence: `None` comes after each so many seconds
    without anything.

    A `Gap` comes when the cursor does not meet the kept log; what follows it follows its snapshot.
    A session that ends says so in a last event. Without an error it ends only with the process.

    Raises:
        SessionNotFound, SessionExpired: it is so, or has come to be so.
        InvalidToken: the token was good, and has been replaced.
        SlowConsumer: too little was taken in time.
        StoreUnavailable: only at a gap, or at the end.
    """
    caller = follower.caller
    while not follower.is_finished:
        try:
            found: EventBatch | Gap | None = await follower.next(silence)
            if isinstance(found, EventBatch) and found.first_seq != after + 1:
                found = await _gap(caller, after, found)
        except (SessionNotFound, SessionExpired) as error:
            if not follower.was_authorized:
                raise
            reason = await _end_reason(caller, error)
            if not isinstance(reason, InvalidToken):
                yield await _final_event(caller, after, reason)
            raise reason from error
        if isinstance(found, EventBatch):
            after = found.last_seq
        elif found is not None:
            after = found.snapshot.seq
            follower.seek(after)
        yield found


async def wait_for_change(
    caller: Caller, *, after: int, known: int, limit: int, wait: float
) -> Snapshot | None:
    """Return the session once it has changed, or as it is after `wait` seconds.

    after: the seq to which a change is compared, and from which on messages are given; known: the
    seq that the caller has a copy of, which takes the place of `after` in the comparing; after
    `wait` the answer for it is `None`. Either may be -1, for none. If what happens while waiting
    does not follow on, as when Redis is set back, all messages are given, up to `limit`.

    Raises:
        SessionNotFound, SessionExpired: before or while waiting.
        RateLimited: the session has too many followers.
        StoreUnavailable
    """
    compared = known if known >= 0 else after
    # Most calls find something at once; a subscription would cost them more than the reading.
    found = await _read(caller, after=after, known=compared, limit=limit)
    if found is None and wait:
        with subscribe(caller, after=compared) as follower:
            news = await follower.next(wait)
        if news is not None and news.first_seq != compared + 1:
            after = compared = -1  # Redis was set back: no number of before says what has changed
        found = await _read(caller, after=after, known=compared, limit=limit)
    if found is None and known < 0:
        found = await _read(caller, after=after, known=-1, limit=limit)
    return found


async def check(caller: Caller) -> None:
    """Find out whether the session may be followed, before anything is told of it.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
        RateLimited: it has too many followers.
    """
    hub().check_capacity(caller)
    await asyncio.to_thread(sessions.events, caller, after=0, limit=1)


def close_all() -> None:
    """Let all that is followed by this event loop come to its end."""
    hub().close()


async def _read(caller: Caller, *, after: int, known: int, limit: int) -> Snapshot | None:
    found = await _batcher().load(Poll(caller, known=known, after=after, limit=limit))
    if isinstance(found, ParleyError):
        raise found
    return found


_batchers: dict[asyncio.AbstractEventLoop, Batcher[Poll, Snapshot | ParleyError | None]] = {}


def _batcher() -> Batcher[Poll, Snapshot | ParleyError | None]:
    """Return where polls of the running event loop are gathered."""
    loop = asyncio.get_running_loop()
    return _batchers.get(loop) or _batchers.setdefault(loop, Batcher(snapshots_if_changed))


async def _gap(caller: Caller, after: int, found: EventBatch) -> Gap:
    snapshot = await asyncio.to_thread(sessions.read, caller)
    return Gap(requested=after, earliest=found.first_seq, snapshot=snapshot)


async def _end_reason(caller: Caller, error: NotFound | NotAllowed) -> NotFound | NotAllowed:
    """Return what has become of a session that could be followed until now."""
    try:
        await asyncio.to_thread(sessions.read, Caller(session_id=caller.session_id), limit=0)
    except (SessionNotFound, SessionExpired):
        return error
    return InvalidToken("The session has a new token.")


ENDS = {SessionNotFound: "session.deleted", SessionExpired: "session.expired"}


async def _final_event(caller: Caller, after: int, reason: NotFound | NotAllowed) -> EventBatch:
    """Return the last event of a session, whose log is gone; like all others by Redis's time."""
    event = {
        "type": ENDS[type(reason)],
        "seq": after + 1,
        "session_id": caller.session_id,
        "created_at": await asyncio.to_thread(server_info.now),
    }
    return EventBatch(
        first_seq=after + 1, latest_seq=after + 1, events=[orjson.dumps(event)], size=0
    )
