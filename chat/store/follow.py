"""Hearing of news: one connection of a process listens for all the sessions that it serves.

The scripts publish each session's new seq under the name of its log. Redis drops what nobody hears,
so a follower subscribes first, reads second, and reads again at each word of news. A link that
works loses nothing; one that does not is noticed within `SILENCE`, because a living one answers
PINGs, and then every follower is told to look for itself.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from django.conf import settings
from redis.asyncio.connection import Connection, ConnectionPool
from redis.exceptions import RedisError

from chat.conf import knobs
from chat.store import keys

logger = logging.getLogger(__name__)

PING_EVERY = 0.3
"""Seconds."""
SILENCE = 0.9
"""Seconds without a word, or an answer to a PING, after which a link counts as broken."""
PAUSE = 0.5
"""Seconds between two tries to connect; as often followers are told to look for themselves."""
LINK_ERRORS = (RedisError, OSError, TimeoutError)


class News:
    """What one follower hears of its session."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Let the follower know that the session may have changed."""
        self._told.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Return true once there may be news since the last wait, or false after `timeout` s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._told.wait()
        was_told = self._told.is_set()
        self._told.clear()
        return was_told


class Topic:
    """A session that somebody follows."""

    def __init__(self) -> None:
        self.followers: set[News] = set()
        self.subscribed = asyncio.Event()
        """Set while Redis is known to send what is published about it."""

    def tell(self) -> None:
        """Let all followers know."""
        for news in self.followers:
            news.tell()


class Hub:
    """The link of one event loop, and who wants to hear what over it."""

    def __init__(self) -> None:
        self._topics: dict[bytes, Topic] = {}
        self._changed: set[bytes] = set()
        """Channels that have come or gone since the link was last told."""
        self._wake = asyncio.Event()
        self._link: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def follow(self, session_id: str) -> AsyncIterator[News]:
        """Give the session's news, from before the moment on at which it is given.

        When Redis confirms nothing within `SILENCE`, it is given all the same: without a link
        followers are told to look at their session every `PAUSE` seconds.
        """
        channel = keys.of(session_id).events.encode()
        topic = self._topics.get(channel) or self._add(channel)
        news = News()
        topic.followers.add(news)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENCE):
                    await topic.subscribed.wait()
            yield news
        finally:
            topic.followers.remove(news)
            if not topic.followers:
                del self._topics[channel]
                self._mark(channel)

    async def close(self) -> None:
        """Let the link go."""
        if self._link is not None:
            self._link.cancel()
            await asyncio.wait([self._link])
            self._link = None

    def _add(self, channel: bytes) -> Topic:
        if self._link is None:
            self._link = asyncio.create_task(self._keep_linked(), name="follow")
        topic = self._topics[channel] = Topic()
        self._mark(channel)
        return topic

    def _mark(self, channel: bytes) -> None:
        self._changed.add(channel)
        self._wake.set()

    async def _keep_linked(self) -> None:
        """Stay connected, for good."""
        while True:
            try:
                await self._serve()
            except* LINK_ERRORS as errors:
                logger.warning("The link for news is broken: %s", errors.exceptions[0])
            for topic in self._topics.values():
                topic.subscribed.clear()
                topic.tell()
            await asyncio.sleep(PAUSE)

    async def _serve(self) -> None:
        """Connect, and carry words both ways until the link breaks."""
        connection = _connection()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._say(connection))
                tasks.create_task(self._hear(connection))
        finally:
            await connection.disconnect(nowait=True)

    async def _say(self, connection: Connection) -> None:
        """Tell Redis which channels are wanted, and that this side lives."""
        asked: set[bytes] = set()
        self._changed.update(self._topics)
        while True:
            changed, self._changed = self._changed, set()
            wanted = {channel for channel in changed if channel in self._topics}
            for channel in wanted & asked:
                self._topics[channel].subscribed.set()
            await _send(connection, "SUBSCRIBE", wanted - asked)
            await _send(connection, "UNSUBSCRIBE", (changed - wanted) & asked)
            asked = (asked | wanted) - (changed - wanted)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY):
                    await self._wake.wait()
                continue
            await connection.send_command("PING", check_health=False)

    async def _hear(self, connection: Connection) -> None:
        """Pass on what Redis says."""
        while True:
            async with asyncio.timeout(SILENCE):
                words = await connection.read_response()
            topic = self._topics.get(words[1]) if isinstance(words, list) else None
            if topic is None:
                continue
            if words[0] == b"subscribe":
                topic.subscribed.set()
            elif words[0] == b"message":
                topic.tell()


async def _send(connection: Connection, command: str, channels: set[bytes]) -> None:
    if channels:
        await connection.send_command(command, *channels, check_health=False)


def _connection() -> Connection:
    """Return an unconnected connection: RESP2, whose messages are plain lists, without retries."""
    pool = ConnectionPool.from_url(
        settings.REDIS_URL, protocol=2, socket_connect_timeout=knobs.STORE_TIMEOUT
    )
    connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
    return connection


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """Return the hub of the running event loop; a web process has one."""
    loop = asyncio.get_running_loop()
    return _hubs.get(loop) or _hubs.setdefault(loop, Hub())
