"""The one connection over which a process hears what is published.

The scripts publish each session's news under the name of its log. Redis drops what nobody hears, so
whoever wants to miss nothing reads once the subscription stands: its confirmation is told like a
word of news, also after a broken link has been made anew.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from redis.asyncio.connection import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chat.redis_url import parse_sentinel_url
from chat.settings import chat_settings

logger = logging.getLogger(__name__)

PING_INTERVAL = 2.0
"""Seconds."""
READ_TIMEOUT = 5.0
"""Seconds without a word, or an answer to a PING, after which a link counts as broken."""
RECONNECT_DELAY = 0.5
"""Seconds between two tries to connect."""
BLOCK = 65536
"""Most bytes heard at once."""
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError)

WORD = re.compile(
    rb"""\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n(?P<channel>[^\r]++)\r\n\$\d+\r\n(?P<news>[^\r]*+)\r\n
    |\*3\r\n\$9\r\nsubscribe\r\n\$\d+\r\n(?P<subscribed>[^\r]++)\r\n:\d+\r\n
    |\*3\r\n\$11\r\nunsubscribe\r\n\$\d+\r\n[^\r]++\r\n:\d+\r\n
    |\*2\r\n\$4\r\npong\r\n\$0\r\n\r\n
    |\+PONG\r\n
    |-(?P<error>[^\r]*+)\r\n""",
    re.VERBOSE,
)
"""What Redis says to a subscriber, in RESP2. redis-py takes 40 us to read one, this 3; names and
news are the scripts' own, and hold no CR. Words are matched where the last one has ended and never
searched for: to look for one inside of news that have come in part takes seconds of a text that
was written to that end."""

OnMessage = Callable[[bytes, bytes], None]
"""Takes a channel, and what was published on it; b"" when its subscription now stands."""


class PubSubConnection:
    """Hears of the channels that are wanted, and keeps itself alive."""

    def __init__(self, heard: OnMessage) -> None:
        self._on_message = heard
        self._pool = _make_pool()
        self._channels: set[bytes] = set()
        self._changed: set[bytes] = set()
        """Channels that have come or gone since Redis was last told."""
        self._wake = asyncio.Event()
        self._last_read_at = 0.0
        """When Redis last said anything, by the event loop's clock."""

    def subscribe(self, channel: bytes) -> None:
        """Hear of the channel from now on; `heard` is told when this stands."""
        self._channels.add(channel)
        self._mark_changed(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Hear of it no more."""
        self._channels.discard(channel)
        self._mark_changed(channel)

    def _mark_changed(self, channel: bytes) -> None:
        self._changed.add(channel)
        self._wake.set()

    async def run(self) -> None:
        """Stay connected, for good."""
        while True:
            try:
                await self._run_once()
            except* CONNECTION_ERRORS as errors:
                logger.warning("The link for news is broken: %r", errors.exceptions[0])
            await asyncio.sleep(RECONNECT_DELAY)

    async def _run_once(self) -> None:
        """Connect, and carry words both ways until the link breaks."""
        connection: Connection = self._pool.make_connection()
        try:
            # redis-py would wait for ever for a greeting's answer.
            async with asyncio.timeout(READ_TIMEOUT):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._changed |= self._channels
            self._last_read_at = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_loop(connection))
                tasks.create_task(self._read_loop(connection))
                tasks.create_task(self._watchdog())
        finally:
            await connection.disconnect(nowait=True)

    async def _write_loop(self, connection: Connection) -> None:
        """Tell Redis which channels are wanted, and that this side lives."""
        while True:
            self._wake.clear()
            changed, self._changed = self._changed, set()
            await _send(connection, "SUBSCRIBE", *(changed & self._channels))
            await _send(connection, "UNSUBSCRIBE", *(changed - self._channels))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_INTERVAL):
                    await self._wake.wait()
                continue
            await connection.send_command("PING", check_health=False)

    async def _read_loop(self, connection: Connection) -> None:
        """Pass on what Redis says."""
        reader: Any = connection._reader  # noqa: SLF001  # see WORD
        loop = asyncio.get_running_loop()
        heard = b""
        while block := await reader.read(BLOCK):
            self._last_read_at = loop.time()
            heard = self._pass_on(heard + block)
        raise ConnectionResetError("Redis has closed the link.")

    async def _watchdog(self) -> None:
        """End the link when nothing was heard for `SILENCE`.

        A timeout for each block would take as long as all the rest of hearing it.
        """
        loop = asyncio.get_running_loop()
        silent = 0.0
        while silent < READ_TIMEOUT:
            await asyncio.sleep(READ_TIMEOUT - silent)
            silent = loop.time() - self._last_read_at
        raise TimeoutError("Redis says nothing.")

    def _pass_on(self, heard: bytes) -> bytes:
        """Tell what was heard; return the beginning of a word that has not ended yet."""
        end = 0
        while word := WORD.match(heard, end):
            end = word.end()
            match word.lastgroup:
                case "news":
                    self._on_message(word["channel"], word["news"])
                case "subscribed":
                    self._on_message(word["subscribed"], b"")
                case "error":
                    raise ConnectionRefusedError(word["error"].decode())
        if len(heard) - end > BLOCK:
            raise ConnectionAbortedError("Redis says what nobody understands.")
        return heard[end:]


async def _send(connection: Connection, command: str, *channels: bytes) -> None:
    if channels:
        await connection.send_command(command, *channels, check_health=False)


def _make_pool() -> Any:
    """Return what makes connections: RESP2, whose messages are plain lists, without retries.

    It must be kept: the connections that a Sentinel's pool makes do not keep it alive themselves.

    They have no socket timeout: redis-py would send within `asyncio.wait_for`, which on Python 3.11
    can swallow a cancellation, and the link would never let go. `SILENCE` bounds it instead.
    """
    bounds: dict[str, Any] = {
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": chat_settings.STORE_TIMEOUT,
    }
    primary = parse_sentinel_url(settings.REDIS_URL)
    if primary is None:
        return ConnectionPool.from_url(settings.REDIS_URL, **bounds)
    asking = {
        "socket_timeout": chat_settings.STORE_TIMEOUT,
        "socket_connect_timeout": chat_settings.STORE_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),  # redis-py would ask a dead one for four seconds
    }
    sentinel = Sentinel(primary.sentinels, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    return SentinelConnectionPool(primary.service, sentinel, **primary.login_kwargs, **bounds)  # type: ignore[no-untyped-call]
