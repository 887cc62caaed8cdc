"""Subscriptions to sessions.

One pub/sub connection and one reader serve all subscribers of a process.

A message that contains the next events is pushed to each subscriber that is positioned just before
them. After any other message, the subscribers of that session need a read. The reader collects all
of them, reads their logs in one round trip, and repeats: under load, each round trip does more
work. Subscribers at the same position share the bytes.

The log is the source of truth, and only a read checks a token. While the pub/sub connection is
healthy, no message gets lost, and an idle subscriber takes one HMGET in 15 s. Otherwise each
subscriber is read at least once a second. After a reconnect, all are. The event of a new token is
never published in full, so that subscribers with the old token need a read.
"""

import asyncio
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Iterable, Sequence

from chat.callbacks import Callback, noop
from chat.domain import Caller, EventBatch
from chat.domain.errors import (
    ParleyError,
    RateLimited,
    SessionExpired,
    SessionNotFound,
    StoreUnavailable,
)
from chat.settings import chat_settings
from chat.store import access
from chat.store.events import (
    EVENTS_PREFIX,
    Position,
    log_keys,
    parse_batch,
    read_logs,
    read_states,
)
from chat.store.pubsub import PubSubClient
from chat.store.subscriber import Channel, Subscriber

logger = logging.getLogger(__name__)

# Seconds between two reads of each subscriber while messages may get lost.
POLL_INTERVAL = 0.45
# Seconds between two checks of its session otherwise: the server may be a primary that was
# replaced, and a session may be lost without a message.
CHECK_INTERVAL = 15.0
# The most positions that are read at once: other calls of the loop wait for the reply.
BATCH_SIZE = 100
# Seconds between checks of whether subscribers may still subscribe.
ACCESS_CHECK_INTERVAL = 1.0
# Messages that are published, instead of a seq, when a session is removed.
END_ERRORS: dict[bytes, type[ParleyError]] = {
    b"session.deleted": SessionNotFound,
    b"session.expired": SessionExpired,
}


class SubscriptionHub:
    """All subscribers of one event loop."""

    def __init__(self) -> None:
        self._channels: dict[bytes, Channel] = {}
        # Subscribers that need a read, and those of the read in progress.
        self._pending: set[Subscriber] = set()
        self._in_flight: set[Subscriber] = set()
        self._has_pending = asyncio.Event()
        self._pubsub = PubSubClient(self._on_message)
        self.is_closed = False
        self._tasks = [
            asyncio.create_task(work, name=work.__name__)
            for work in (
                *(self._pubsub.run(), self._read_loop(), self._poll_stale()),
                self._check_access(),
            )
        ]
        for task in self._tasks:
            task.add_done_callback(_stop_process_on_error)

    def check_capacity(self, caller: Caller) -> None:
        """Check that the caller's session can have another subscriber.

        Raises:
            RateLimited: it has `MAX_SUBSCRIBERS` in this process.
        """
        channel = self._channels.get(log_keys(caller.session_id).channel)
        if channel is not None and channel.is_full:
            raise RateLimited("This session has too many subscribers.", retry_after=5)

    def subscribe(
        self, caller: Caller, *, after: int, on_overflow: Callback, abort: Callback = noop
    ) -> Subscriber:
        """Return a new subscriber to the caller's session, to be removed by `unsubscribe`.

        The caller's token is checked by the first read, and an invalid one closes the subscriber.

        on_overflow: called when the client is too slow: a batch was not processed in time, or
            too many bytes are buffered. It must cancel the send that blocks.
        abort: called `CLOSE_GRACE` seconds after the subscriber was closed with an error. It
            must drop the connection if that is still open.

        Raises:
            RateLimited: the session has too many subscribers.
        """
        self.check_capacity(caller)
        keys = log_keys(caller.session_id)
        channel = self._channels.setdefault(keys.channel, Channel(keys))
        subscriber = Subscriber(
            caller,
            keys,
            after=after,
            request_read=self._schedule_read,
            on_overflow=on_overflow,
            abort=abort,
        )
        if not channel.subscribers:
            self._pubsub.subscribe(keys.channel)
        channel.subscribers.add(subscriber)
        if self.is_closed:
            subscriber.close()
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        subscriber.close()
        name = subscriber.keys.channel
        channel = self._channels[name]
        channel.subscribers.remove(subscriber)
        if not channel.subscribers:
            del self._channels[name]
            self._pubsub.unsubscribe(name)

    def close(self) -> None:
        """Close all subscribers, and every later one as soon as it subscribes."""
        self.is_closed = True
        for task in self._tasks:
            task.cancel()
        for channel in self._channels.values():
            for subscriber in channel.subscribers:
                subscriber.close()

    def _on_message(self, name: bytes, message: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        if not message:  # subscribed, also after a reconnect
            for subscriber in channel.subscribers:
                subscriber.is_verified = False
        if not message.startswith(EVENTS_PREFIX):
            channel.end_error = END_ERRORS.get(message)
            self._schedule_read(*channel.subscribers)
            return
        batch = parse_batch(message)
        for subscriber in channel.subscribers:
            # A session may be deleted, and another one opened with its id. The read finds out that
            # the token is wrong, so nothing is pushed to a subscriber that waits for a read.
            waits_for_read = subscriber in self._pending or subscriber in self._in_flight
            if waits_for_read or not subscriber.is_next(batch):
                self._schedule_read(subscriber)
            else:
                subscriber.push(batch)

    def _schedule_read(self, *subscribers: Subscriber) -> None:
        self._pending.update(subscribers)
        self._has_pending.set()

    async def _poll_stale(self) -> None:
        """Schedule reads for subscribers without a recent one, and detect slow clients."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            idle: list[Subscriber] = []
            for name, channel in self._channels.items():
                is_receiving = self._pubsub.is_receiving(name)
                read_before = now - (CHECK_INTERVAL if is_receiving else POLL_INTERVAL)
                for subscriber in channel.subscribers:
                    subscriber.check_write_timeout(now - chat_settings.WRITE_TIMEOUT)
                    if subscriber.read_at >= read_before:
                        continue
                    if is_receiving and subscriber.is_verified:
                        idle.append(subscriber)
                    else:
                        self._schedule_read(subscriber)
            for first in range(0, len(idle), BATCH_SIZE):
                await self._check_idle(idle[first : first + BATCH_SIZE])
            await asyncio.sleep(POLL_INTERVAL)

    async def _check_idle(self, subscribers: Sequence[Subscriber]) -> None:
        """Schedule reads for the subscribers whose logs have other events or may have ended."""
        try:
            states = await read_states.on_loop([each.keys.session for each in subscribers])
        except StoreUnavailable:
            self._schedule_read(*subscribers)
            return
        now = asyncio.get_running_loop().time()
        for subscriber, state in zip(subscribers, states, strict=True):
            if state is None or state.may_have_expired or state.seq != subscriber.cursor:
                self._schedule_read(subscriber)
            else:
                subscriber.read_at = now

    async def _check_access(self) -> None:
        """Close subscribers that are banned, or whose API key or JWT is no longer valid."""
        while True:
            await asyncio.sleep(ACCESS_CHECK_INTERVAL)
            subscribers = [
                subscriber
                for channel in self._channels.values()
                for subscriber in channel.subscribers
            ]
            callers = [subscriber.caller for subscriber in subscribers]
            try:
                errors = await access.find_errors.on_loop(callers)
            except StoreUnavailable as error:
                logger.warning("Could not check the access of subscribers: %s", error.__cause__)
                continue
            for subscriber, refusal in zip(subscribers, errors, strict=True):
                if refusal is not None:
                    subscriber.close(refusal)

    async def _read_loop(self) -> None:
        """Read the logs of all pending subscribers in one round trip, and repeat."""
        while True:
            await self._has_pending.wait()
            groups = self._group_by_position()
            self._in_flight = set().union(*groups.values())
            try:
                results = await read_logs.on_loop(list(groups))
            except StoreUnavailable as error:
                self._defer(self._in_flight)
                logger.warning("Could not read the event logs: %s", error.__cause__)
                continue
            finally:
                self._in_flight = set()
            for (position, subscribers), result in zip(groups.items(), results, strict=True):
                self._deliver(position, subscribers, result)

    def _defer(self, subscribers: Iterable[Subscriber]) -> None:
        """Keep the subscribers pending, and wait for the next scheduled read or poll."""
        self._pending.update(subscribers)
        self._has_pending.clear()

    def _group_by_position(self) -> dict[Position, list[Subscriber]]:
        """Take up to `BATCH_SIZE` positions of pending subscribers, and the subscribers there."""
        groups: dict[Position, list[Subscriber]] = defaultdict(list)
        while self._pending and len(groups) < BATCH_SIZE:
            subscriber = self._pending.pop()
            if not subscriber.is_closed:
                groups[subscriber.position].append(subscriber)
        if not self._pending:
            self._has_pending.clear()
        return groups

    def _deliver(
        self,
        position: Position,
        subscribers: Iterable[Subscriber],
        result: EventBatch | ParleyError,
    ) -> None:
        channel = self._channels.get(position.keys.channel)
        if isinstance(result, StoreUnavailable):
            self._defer(subscribers)
            return
        if channel is None:
            return
        for subscriber in subscribers:
            subscriber.read_at = asyncio.get_running_loop().time()
            if isinstance(result, ParleyError):
                subscriber.close((channel.end_error or type(result))())
            elif subscriber.cursor == position.cursor:
                subscriber.push(result)
                # Pending again, perhaps after a reconnect during the read: not verified.
                subscriber.is_verified = subscriber not in self._pending


def _stop_process_on_error(task: asyncio.Task[None]) -> None:
    """Stop a process that cannot serve subscribers any more; a supervisor restarts it."""
    if not task.cancelled():
        logger.critical("%s failed; the process stops.", task.get_name(), exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


_hubs: dict[asyncio.AbstractEventLoop, SubscriptionHub] = {}


def hub() -> SubscriptionHub:
    """Return the hub of the running event loop; a web process has one."""
    loop = asyncio.get_running_loop()
    return _hubs.get(loop) or _hubs.setdefault(loop, SubscriptionHub())
