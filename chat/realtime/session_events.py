"""Subscriptions and long-polls of a session."""

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
    SessionExpired,
    SessionNotFound,
)
from chat.realtime.snapshot_reader import snapshot_reader
from chat.store import server_info
from chat.store.subscriber import Callback, Subscriber, noop
from chat.store.subscriptions import hub


@contextmanager
def subscribe(
    caller: Caller, *, after: int, on_overflow: Callback = noop, abort: Callback = noop
) -> Iterator[Subscriber]:
    """Subscribe to the caller's session for the duration of the context.

    on_overflow: called when the client is too slow; see `SubscriptionHub.subscribe`.
    abort: called later, after an error, to drop the connection if it is still open.

    Raises:
        RateLimited: the session has too many subscribers.
    """
    subscriptions = hub()
    subscriber = subscriptions.subscribe(caller, after=after, on_overflow=on_overflow, abort=abort)
    try:
        yield subscriber
    finally:
        subscriptions.unsubscribe(subscriber)


async def events(
    subscriber: Subscriber, *, after: int, heartbeat_interval: float | None = None
) -> AsyncGenerator[EventBatch | Gap | None]:
    """Yield the events after the cursor, each once and in order.

    A `Gap` replaces events that are no longer in the log; later events follow its snapshot. When a
    session ends, the last event says so. Without an error, the events end only when the process
    shuts down.

    after: the cursor with which `subscriber` was created.
    heartbeat_interval: seconds without an event after which `None` is yielded.

    Raises:
        SessionNotFound, SessionExpired: the session does not exist, or has ended.
        InvalidToken: the token was valid, and was replaced.
        SlowConsumer: the client was too slow.
        StoreUnavailable: only at a gap, or at the end of the session.
    """
    caller = subscriber.caller
    while not subscriber.is_finished:
        try:
            item: EventBatch | Gap | None = await subscriber.next(heartbeat_interval)
            if isinstance(item, EventBatch) and item.first_seq != after + 1:
                item = await _gap(caller, after, item)
        except (SessionNotFound, SessionExpired) as error:
            if not subscriber.was_authorized:
                raise
            reason = await _end_reason(caller, error)
            if not isinstance(reason, InvalidToken):
                yield await _final_event(caller, after, reason)
            raise reason from error
        if isinstance(item, EventBatch):
            after = item.last_seq
        elif item is not None:
            after = item.snapshot.seq
            subscriber.seek(after)
        yield item


async def wait_for_change(
    caller: Caller, *, after: int, known: int, limit: int, wait: float
) -> Snapshot | None:
    """Return the session as soon as it has changed, or after `wait` seconds.

    If the events do not continue from the cursor, for example after a failover to an older replica,
    all messages are returned, up to `limit`.

    after: return messages changed after this seq; -1 for all.
    known: the seq of the client's ETag; -1 for none. It replaces `after` as the seq since which
        a change is awaited. If there is none in time, the result is `None`.

    Raises:
        SessionNotFound, SessionExpired: before or while waiting.
        RateLimited: the session has too many subscribers.
        StoreUnavailable
    """
    cursor = known if known >= 0 else after
    # Most calls find a change immediately; a subscription would cost them more than this read.
    snapshot = await _read(caller, after=after, known=cursor, limit=limit)
    if snapshot is None and wait:
        with subscribe(caller, after=cursor) as subscriber:
            batch = await subscriber.next(wait)
        if batch is not None and batch.first_seq != cursor + 1:
            after = cursor = -1  # Redis lost events, so no earlier seq tells what has changed
        snapshot = await _read(caller, after=after, known=cursor, limit=limit)
    if snapshot is None and known < 0:
        snapshot = await _read(caller, after=after, known=-1, limit=limit)
    return snapshot


async def check_can_subscribe(caller: Caller) -> None:
    """Check that the caller can subscribe, before any part of a response is sent.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
        RateLimited: the session has too many subscribers.
    """
    hub().check_capacity(caller)
    await sessions.events.on_loop(caller, after=0, limit=1)


def close_all() -> None:
    """Close all subscriptions of the running event loop."""
    hub().close()


async def _read(caller: Caller, *, after: int, known: int, limit: int) -> Snapshot | None:
    return await snapshot_reader().read(caller, known=known, after=after, limit=limit)


async def _gap(caller: Caller, after: int, batch: EventBatch) -> Gap:
    snapshot = await asyncio.to_thread(sessions.read, caller)
    return Gap(requested=after, earliest=batch.first_seq, snapshot=snapshot)


async def _end_reason(caller: Caller, error: NotFound | NotAllowed) -> NotFound | NotAllowed:
    """Return why a subscription that was authorized has ended."""
    try:
        await sessions.read.on_loop(Caller.internal(caller.session_id), limit=0)
    except (SessionNotFound, SessionExpired):
        return error
    return InvalidToken("The session has a new token.")


FINAL_EVENTS = {SessionNotFound: "session.deleted", SessionExpired: "session.expired"}


async def _final_event(caller: Caller, after: int, error: NotFound | NotAllowed) -> EventBatch:
    """Return the last event of a session whose log is deleted. Its time is Redis's."""
    event = {
        "type": FINAL_EVENTS[type(error)],
        "seq": after + 1,
        "session_id": caller.session_id,
        "created_at": await asyncio.to_thread(server_info.now),
    }
    return EventBatch(
        first_seq=after + 1, latest_seq=after + 1, events=[orjson.dumps(event)], size=0
    )
