"""Subscriptions to a session."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import orjson

from chat.callbacks import Callback, noop
from chat.conversation import sessions
from chat.domain import Caller, EventBatch, Gap
from chat.domain.errors import (
    InvalidToken,
    NotAllowed,
    NotFound,
    RateLimited,
    SessionExpired,
    SessionNotFound,
)
from chat.store import server_info
from chat.store.subscriber import Subscriber
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


async def check_can_subscribe(caller: Caller) -> None:
    """Check that the caller can subscribe, before any part of a response is sent.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
        RateLimited: the session has too many subscribers.
    """
    await _check_access(caller)
    hub().check_capacity(caller)


async def check_capacity(caller: Caller) -> None:
    """Check that the session can have another subscriber; this reads it only if it cannot.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable: instead of `RateLimited`, which only a
            client that has access may learn.
        RateLimited: the session has too many subscribers.
    """
    try:
        hub().check_capacity(caller)
    except RateLimited:
        await _check_access(caller)
        raise


def close_all() -> None:
    """Close all subscriptions of the running event loop."""
    hub().close()


async def _check_access(caller: Caller) -> None:
    await sessions.events.on_loop(caller, after=0, limit=1)


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
