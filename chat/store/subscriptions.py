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

from chat.domain import Caller, Stretch
from chat.domain.errors import (
    ParleyError,
    RateLimited,
    SessionExpired,
    SessionNotFound,
    StoreUnavailable,
)
from chat.settings import chat_settings
from chat.store.events import EVENTS, Log, Place, log_of, read_logs, stretch_of
from chat.store.pubsub import Link
from chat.store.subscriber import Cut, Follower, uncut

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.45
"""Seconds; whoever was not read for since the last look is read for, so each 0.9."""
BATCH = 500
"""Most places read at once, which bounds what one read holds in memory."""
ENDS: dict[bytes, type[ParleyError]] = {
    b"session.deleted": SessionNotFound,
    b"session.expired": SessionExpired,
}
"""What a session's removal publishes in place of a seq."""


class Topic:
    """A session that somebody follows."""

    __slots__ = ("end", "followers", "log")

    def __init__(self, log: Log) -> None:
        self.log = log
        self.followers: set[Follower] = set()
        self.end: type[ParleyError] | None = None
        """What has become of the session, once that was heard."""


class Hub:
    """All followers of one event loop."""

    def __init__(self) -> None:
        self._topics: dict[bytes, Topic] = {}
        self._hungry: set[Follower] = set()
        self._fed: set[Follower] = set()
        """Those whom the reading that is under way is for."""
        self._woken = asyncio.Event()
        self._link = Link(self._hear)
        self._thread = ThreadPoolExecutor(1, "logs")
        self.is_closed = False
        self._tasks = [
            asyncio.create_task(work, name=work.__name__)
            for work in (self._link.hold(), self._read_on(), self._look())
        ]
        for task in self._tasks:
            task.add_done_callback(_stop_if_it_died)

    def check(self, caller: Caller) -> None:
        """Find out whether there is room for another follower of the caller's session.

        Raises:
            RateLimited: it has as many in this process as it may have.
        """
        topic = self._topics.get(log_of(caller.session_id).channel)
        if topic is not None and len(topic.followers) >= chat_settings.MAX_SUBSCRIBERS:
            raise RateLimited("This session has too many followers.", retry_after=5)

    def join(self, caller: Caller, *, after: int, cut: Cut, hang_up: Cut = uncut) -> Follower:
        """Return a follower of the caller's session, to be taken out by `leave`.

        Whether the caller's token is good, the follower learns. cut: called when what it has taken
        is not done with in time, or too much waits behind that; it is to end the waiting. hang_up:
        called `PARTING` seconds after the follower has come to an error; it is to end the
        connection, if that still stands.

        Raises:
            RateLimited: there is no room.
        """
        self.check(caller)
        log = log_of(caller.session_id)
        topic = self._topics.setdefault(log.channel, Topic(log))
        follower = Follower(caller, log, after=after, ask=self._feed, cut=cut, hang_up=hang_up)
        if not topic.followers:
            self._link.want(log.channel)
        topic.followers.add(follower)
        if self.is_closed:
            follower.end(None)
        return follower

    def leave(self, follower: Follower) -> None:
        """Take a follower out."""
        follower.end(None)
        channel = follower.log.channel
        topic = self._topics[channel]
        topic.followers.remove(follower)
        if not topic.followers:
            del self._topics[channel]
            self._link.forget(channel)

    def close(self) -> None:
        """Let all followers come to their end, and take no new ones."""
        self.is_closed = True
        for task in self._tasks:
            task.cancel()
        for topic in self._topics.values():
            for follower in topic.followers:
                follower.end(None)
        self._thread.shutdown(wait=False)

    def _hear(self, channel: bytes, news: bytes) -> None:
        topic = self._topics.get(channel)
        if topic is None:
            return
        if not news:  # the link stands anew
            for follower in topic.followers:
                follower.is_sure = False
        if not news.startswith(EVENTS):
            topic.end = ENDS.get(news)
            self._feed(*topic.followers)
            return
        found = stretch_of(news)
        for follower in topic.followers:
            # A reading may find that the token is another session's by now, opened under the id of
            # one that has ended: nobody who waits for a reading is handed anything before it.
            is_waiting = follower in self._hungry or follower in self._fed
            if is_waiting or not follower.is_just_before(found):
                self._feed(follower)
            else:
                follower.hand(found)

    def _feed(self, *followers: Follower) -> None:
        """Have the followers read for, those that want it."""
        self._hungry.update(followers)
        self._woken.set()

    async def _look(self) -> None:
        """Have those read for who were not for a while; look for those who read too slowly."""
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time() - chat_settings.WRITE_TIMEOUT
            for topic in self._topics.values():
                for follower in topic.followers:
                    follower.must_have_asked(since)
                    if not follower.was_read_for:
                        self._feed(follower)
                    follower.was_read_for = False
            await asyncio.sleep(LOOK_EVERY)

    async def _read_on(self) -> None:
        """Read for those who are hungry, all of them at once."""
        loop = asyncio.get_running_loop()
        while True:
            await self._woken.wait()
            places = self._places()
            self._fed = set().union(*places.values())
            try:
                found = await loop.run_in_executor(self._thread, read_logs, list(places))
            except StoreUnavailable as error:
                self._put_off(self._fed)
                logger.warning("No log can be read: %s", error.__cause__)
                continue
            finally:
                self._fed = set()
            for place, stretch in zip(places, found, strict=True):
                self._hand(place, places[place], stretch)

    def _put_off(self, followers: Iterable[Follower]) -> None:
        """Leave them hungry until somebody is fed, by the next look at the latest."""
        self._hungry.update(followers)
        self._woken.clear()

    def _places(self) -> dict[Place, list[Follower]]:
        """Return where hungry followers stand, and who stands there; what is over `BATCH` waits."""
        places: dict[Place, list[Follower]] = defaultdict(list)
        while self._hungry and len(places) < BATCH:
            follower = self._hungry.pop()
            if follower.is_read_for:
                places[follower.place].append(follower)
        if not self._hungry:
            self._woken.clear()
        return places

    def _hand(
        self, place: Place, followers: Iterable[Follower], found: Stretch | ParleyError
    ) -> None:
        """Give followers what was read for their place."""
        topic = self._topics.get(place.log.channel)
        if isinstance(found, StoreUnavailable):
            self._put_off(followers)
            return
        if topic is None:
            return
        for follower in followers:
            follower.was_read_for = True
            if isinstance(found, ParleyError):
                follower.end((topic.end or type(found))())
            elif follower.cursor == place.cursor:
                follower.hand(found)
                # Who is hungry again may have become so by a link that was made anew meanwhile.
                follower.is_sure = follower not in self._hungry


def _stop_if_it_died(task: asyncio.Task[None]) -> None:
    """End a process that follows nothing any more; a supervisor starts another one."""
    if not task.cancelled():
        logger.critical(
            "%s has died; the process stops.", task.get_name(), exc_info=task.exception()
        )
        os.kill(os.getpid(), signal.SIGTERM)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """Return the hub of the running event loop; a web process has one."""
    loop = asyncio.get_running_loop()
    return _hubs.get(loop) or _hubs.setdefault(loop, Hub())
