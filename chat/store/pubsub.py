"""The pub/sub connection of a process.

The scripts publish the events of a session on a channel with the name of its log. Redis drops
messages without subscribers. A subscriber that must not miss any therefore reads the log
once after the subscription is confirmed, also after a reconnect.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError

from chat.settings import chat_settings
from chat.store.async_pool import make_pool
from chat.store.routing import SERVER

logger = logging.getLogger(__name__)

# All in seconds.
PING_INTERVAL = 2.0
# Without a message or a PONG for this long, the connection counts as lost.
READ_TIMEOUT = 5.0
RECONNECT_DELAY = 0.5
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError)

# Takes a channel and a message; the message is b"" when the subscription is confirmed.
OnMessage = Callable[[bytes, bytes], None]


class PubSubConnection:
    """Receives messages of the subscribed channels, and reconnects when the connection is lost."""

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        self._pool = make_pool(SERVER, connect_timeout=chat_settings.STORE_TIMEOUT)
        self._channels: set[bytes] = set()
        # Channels to subscribe to or unsubscribe from.
        self._changed: set[bytes] = set()
        self._wake = asyncio.Event()
        # Time of the last read, by the event loop's clock.
        self._last_read_at = 0.0

    def subscribe(self, channel: bytes) -> None:
        """Subscribe to the channel; `on_message` is called with b"" once Redis confirms it."""
        self._channels.add(channel)
        self._mark_changed(channel)

    def unsubscribe(self, channel: bytes) -> None:
        self._channels.discard(channel)
        self._mark_changed(channel)

    def _mark_changed(self, channel: bytes) -> None:
        self._changed.add(channel)
        self._wake.set()

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        while True:
            try:
                await self._run_once()
            except* CONNECTION_ERRORS as errors:
                logger.warning("The pub/sub connection is lost: %r", errors.exceptions[0])
            await asyncio.sleep(RECONNECT_DELAY)

    async def _run_once(self) -> None:
        """Connect, and serve the connection until it is lost."""
        connection: Connection = self._pool.make_connection()
        try:
            # redis-py would wait forever for the reply to AUTH.
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
        """Send SUBSCRIBE and UNSUBSCRIBE for changed channels, and PINGs."""
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
        loop = asyncio.get_running_loop()
        while True:
            # A delivered event takes about 70 us. A regular expression over the buffer would save
            # 10 us of these (docs/adr/0032-simplifications.md).
            reply = await connection.read_response()
            self._last_read_at = loop.time()
            match reply:
                case [b"message", channel, message]:
                    self._on_message(channel, message)
                case [b"subscribe", channel, _]:
                    self._on_message(channel, b"")

    async def _watchdog(self) -> None:
        """Fail when nothing was read for `READ_TIMEOUT`.

        A timeout for each read would take as long as the rest of the read.
        """
        loop = asyncio.get_running_loop()
        idle = 0.0
        while idle < READ_TIMEOUT:
            await asyncio.sleep(READ_TIMEOUT - idle)
            idle = loop.time() - self._last_read_at
        raise TimeoutError("no reply from Redis")


async def _send(connection: Connection, command: str, *channels: bytes) -> None:
    if channels:
        await connection.send_command(command, *channels, check_health=False)
