"""Following sessions: one link and one reader of a process serve everybody who follows.

News that holds the next events is handed to all who stand just before them. Any other word makes a
session's followers hungry. The reader takes all who are hungry, reads on in their logs in one round
trip, hands the same bytes to all who stand at the same place, and begins again: the more there is
to do, the more is done at once. Whoever is late reads from a place of its own. The log is the
truth, and only a reading checks a token: everybody is read for once a second whatever is heard, so
a lost word costs no more than that, and no news holds the event of a new token, so that those of
the old one have to read.
"""

import asyncio
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from chat.domain import Caller, EventBatch
from chat.domain.errors import (
    ParleyError,
    RateLimited,
    SessionExpired,
    SessionNotFound,
    StoreUnavailable,
)
from chat.settings import chat_settings
from chat.store.events import EVENTS_PREFIX, LogKeys, Position, log_keys, parse_batch, read_logs
from chat.store.pubsub import PubSubConnection
from chat.store.subscriber import Callback, Subscriber, noop

logger = logging.getLogger(__name__)

POLL_INTERVAL = 0.45
"""Seconds; whoever was not read for since the last look is read for, so each 0.9."""
BATCH_SIZE = 500
"""Most places read at once, which bounds what one read holds in memory."""
END_ERRORS: dict[bytes, type[ParleyError]] = {
    b"session.deleted": SessionNotFound,
    b"session.expired": SessionExpired,
}
"""What a session's removal publishes in place of a seq."""


class Channel:
    """A session that somebody follows."""

    __slots__ = ("end_error", "subscribers", "keys")

    def __init__(self, log: LogKeys) -> None:
        self.keys = log
        self.subscribers: set[Subscriber] = set()
        self.end_error: type[ParleyError] | None = None
        """What has become of the session, once that was heard."""


class SubscriptionHub:
    """All followers of one event loop."""

    def __init__(self) -> None:
        self._channels: dict[bytes, Channel] = {}
        self._pending: set[Subscriber] = set()
        self._in_flight: set[Subscriber] = set()
        """Those whom the reading that is under way is for."""
        self._wake_up = asyncio.Event()
        self._pubsub = PubSubConnection(self._on_message)
        self._executor = ThreadPoolExecutor(1, "logs")
        self.is_closed = False
        self._tasks = [
            asyncio.create_task(work, name=work.__name__)
            for work in (self._pubsub.run(), self._read_loop(), self._poll_stale())
        ]
        for task in self._tasks:
            task.add_done_callback(_stop_process_on_error)

    def check_capacity(self, caller: Caller) -> None:
        """Find out whether there is room for another follower of the caller's session.

        Raises:
            RateLimited: it has as many in this process as it may have.
        """
        topic = self._channels.get(log_keys(caller.session_id).channel)
        if topic is not None and len(topic.subscribers) >= chat_settings.MAX_SUBSCRIBERS:
            raise RateLimited("This session has too many followers.", retry_after=5)

    def subscribe(
        self, caller: Caller, *, after: int, on_overflow: Callback, abort: Callback = noop
    ) -> Subscriber:
        """Return a follower of the caller's session, to be taken out by `leave`.

        Whether the caller's token is good, the follower learns. cut: called when what it has taken
        is not done with in time, or too much waits behind that; it is to end the waiting. hang_up:
        called `PARTING` seconds after the follower has come to an error; it is to end the
        connection, if that still stands.

        Raises:
            RateLimited: there is no room.
        """
        self.check_capacity(caller)
        log = log_keys(caller.session_id)
        topic = self._channels.setdefault(log.channel, Channel(log))
        follower = Subscriber(
            caller,
            log,
            after=after,
            request_read=self._schedule_read,
            on_overflow=on_overflow,
            abort=abort,
        )
        if not topic.subscribers:
            self._pubsub.subscribe(log.channel)
        topic.subscribers.add(follower)
        if self.is_closed:
            follower.close(None)
        return follower

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Take a follower out."""
        subscriber.close(None)
        channel = subscriber.log_keys.channel
        topic = self._channels[channel]
        topic.subscribers.remove(subscriber)
        if not topic.subscribers:
            del self._channels[channel]
            self._pubsub.unsubscribe(channel)

    def close(self) -> None:
        """Let all followers come to their end, and take no new ones."""
        self.is_closed = True
        for task in self._tasks:
            task.cancel()
        for topic in self._channels.values():
            for follower in topic.subscribers:
                follower.close(None)
        self._executor.shutdown(wait=False)

    def _on_message(self, channel: bytes, news: bytes) -> None:
        topic = self._channels.get(channel)
        if topic is None:
            return
        if not news:  # the link stands anew
            for follower in topic.subscribers:
                follower.is_verified = False
        if not news.startswith(EVENTS_PREFIX):
            topic.end_error = END_ERRORS.get(news)
            self._schedule_read(*topic.subscribers)
            return
        found = parse_batch(news)
        for follower in topic.subscribers:
            # A reading may find that the token is another session's by now, opened under the id of
            # one that has ended: nobody who waits for a reading is handed anything before it.
            is_waiting = follower in self._pending or follower in self._in_flight
            if is_waiting or not follower.is_next(found):
                self._schedule_read(follower)
            else:
                follower.push(found)

    def _schedule_read(self, *followers: Subscriber) -> None:
        """Have the followers read for, those that want it."""
        self._pending.update(followers)
        self._wake_up.set()

    async def _poll_stale(self) -> None:
        """Have those read for who were not for a while; look for those who read too slowly."""
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time() - chat_settings.WRITE_TIMEOUT
            for topic in self._channels.values():
                for follower in topic.subscribers:
                    follower.check_write_timeout(since)
                    if not follower.was_read:
                        self._schedule_read(follower)
                    follower.was_read = False
            await asyncio.sleep(POLL_INTERVAL)

    async def _read_loop(self) -> None:
        """Read for those who are hungry, all of them at once."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake_up.wait()
            places = self._group_by_position()
            self._in_flight = set().union(*places.values())
            try:
                found = await loop.run_in_executor(self._executor, read_logs, list(places))
            except StoreUnavailable as error:
                self._defer(self._in_flight)
                logger.warning("No log can be read: %s", error.__cause__)
                continue
            finally:
                self._in_flight = set()
            for place, stretch in zip(places, found, strict=True):
                self._deliver(place, places[place], stretch)

    def _defer(self, followers: Iterable[Subscriber]) -> None:
        """Leave them hungry until somebody is fed, by the next look at the latest."""
        self._pending.update(followers)
        self._wake_up.clear()

    def _group_by_position(self) -> dict[Position, list[Subscriber]]:
        """Return where hungry followers stand, and who stands there; what is over `BATCH` waits."""
        places: dict[Position, list[Subscriber]] = defaultdict(list)
        while self._pending and len(places) < BATCH_SIZE:
            follower = self._pending.pop()
            if follower.needs_reads:
                places[follower.position].append(follower)
        if not self._pending:
            self._wake_up.clear()
        return places

    def _deliver(
        self, place: Position, followers: Iterable[Subscriber], found: EventBatch | ParleyError
    ) -> None:
        """Give followers what was read for their place."""
        topic = self._channels.get(place.keys.channel)
        if isinstance(found, StoreUnavailable):
            self._defer(followers)
            return
        if topic is None:
            return
        for follower in followers:
            follower.was_read = True
            if isinstance(found, ParleyError):
                follower.close((topic.end_error or type(found))())
            elif follower.cursor == place.cursor:
                follower.push(found)
                # Who is hungry again may have become so by a link that was made anew meanwhile.
                follower.is_verified = follower not in self._pending


def _stop_process_on_error(task: asyncio.Task[None]) -> None:
    """End a process that follows nothing any more; a supervisor starts another one."""
    if not task.cancelled():
        logger.critical(
            "%s has died; the process stops.", task.get_name(), exc_info=task.exception()
        )
        os.kill(os.getpid(), signal.SIGTERM)


_hubs: dict[asyncio.AbstractEventLoop, SubscriptionHub] = {}


def hub() -> SubscriptionHub:
    """Return the hub of the running event loop; a web process has one."""
    loop = asyncio.get_running_loop()
    return _hubs.get(loop) or _hubs.setdefault(loop, SubscriptionHub())
