"""The pub/sub connections of a process: one, or one to each node of a Cluster.

The scripts publish the events of a session on a channel with the name of its log. Redis drops
messages without subscribers. A subscriber that must not miss any therefore reads the log
once after the subscription is confirmed, also after a reconnect.

On a Cluster, pub/sub is sharded: a channel belongs to the node that has the slot of its name.
Ordinary messages would go to every node.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from redis.asyncio.connection import Connection
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError

from chat.settings import chat_settings
from chat.store.async_pool import make_pool
from chat.store.client import client
from chat.store.reply_stream import ReplyStream
from chat.store.routing import find_masters
from chat.store.topology import Node, Topology, resolve

logger = logging.getLogger(__name__)

# All in seconds.
PING_INTERVAL = 0.5
# Without a message or a PONG for this long, messages may be delayed or lost.
MAX_SILENCE = 1.0
# Without a message or a PONG for this long, the connection counts as lost.
READ_TIMEOUT = 5.0
RECONNECT_DELAY = 0.5
REDIRECTION_DELAY = 0.05
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError)

# Takes a channel and a message; the message is b"" when the subscription is confirmed.
OnMessage = Callable[[bytes, bytes], None]


class PubSubClient:
    """Receives messages of the subscribed channels, each from the server that publishes it."""

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        self._topology = client().topology
        self._connections: dict[Node, PubSubConnection] = {}
        self._tasks: dict[Node, asyncio.Task[None]] = {}
        self._nodes: dict[bytes, Node] = {}
        # A connection is new, or channels may have moved to another node.
        self._has_changed = asyncio.Event()

    def subscribe(self, channel: bytes) -> None:
        """Subscribe to the channel; `on_message` is called with b"" once Redis confirms it."""
        self._subscribe_at(self._topology.node_of(channel.decode()), channel)

    def unsubscribe(self, channel: bytes) -> None:
        self._connections[self._nodes.pop(channel)].unsubscribe(channel)

    def is_receiving(self, channel: bytes) -> bool:
        """Return whether all messages arrive: the subscription is confirmed, and Redis answers."""
        connection = self._connections[self._nodes[channel]]
        return channel in connection.confirmed and connection.is_healthy

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for node in self._connections.keys() - self._tasks.keys():
                    self._tasks[node] = tasks.create_task(self._connections[node].run())
                self._has_changed.clear()
                await self._has_changed.wait()
                if self._topology.is_cluster:
                    await self._move_channels()

    async def _move_channels(self) -> None:
        """Subscribe again to the channels that have moved, and to those that were rejected."""
        with contextlib.suppress(RedisError):  # a lost connection reports it again
            await asyncio.to_thread(client().run, find_masters(self._topology))
        for channel, node in list(self._nodes.items()):
            connection = self._connections[node]
            current = self._topology.node_of(channel.decode())
            if current != node:
                connection.forget(channel)
                self._subscribe_at(current, channel)
            elif channel not in connection.confirmed:
                connection.subscribe(channel)
        for node in self._connections.keys() - {*self._topology.masters, *self._nodes.values()}:
            del self._connections[node]
            if task := self._tasks.pop(node, None):
                task.cancel()

    def _subscribe_at(self, node: Node, channel: bytes) -> None:
        self._nodes[channel] = node
        if node not in self._connections:
            self._connections[node] = PubSubConnection(
                node, self._topology, self._on_message, on_change=self._has_changed.set
            )
            self._has_changed.set()
        self._connections[node].subscribe(channel)


class PubSubConnection:
    """Receives messages of one server, and reconnects when the connection is lost."""

    def __init__(
        self,
        node: Node,
        topology: Topology,
        on_message: OnMessage,
        *,
        on_change: Callable[[], None],
    ) -> None:
        """on_change: called when the connection is lost, or channels have left this node."""
        self._node = node
        self._topology = topology
        self._on_message = on_message
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._stream: ReplyStream | None = None
        timeout = chat_settings.STORE_TIMEOUT
        self._pool = make_pool(settings.REDIS_URL, node, connect_timeout=timeout)
        self._channels: set[bytes] = set()
        # Channels whose messages arrive.
        self.confirmed: set[bytes] = set()
        # Channels to subscribe to or unsubscribe from.
        self._changed: set[bytes] = set()
        self._wake = asyncio.Event()
        # Time of the last reply, by the loop's clock.
        self._last_read_at = 0.0

    @property
    def is_healthy(self) -> bool:
        return self._loop.time() - self._last_read_at < MAX_SILENCE

    def subscribe(self, channel: bytes) -> None:
        self._channels.add(channel)
        self._mark_changed(channel)

    def unsubscribe(self, channel: bytes) -> None:
        self.forget(channel)
        self._mark_changed(channel)

    def forget(self, channel: bytes) -> None:
        """Drop a channel that the server itself has unsubscribed from this connection."""
        self._channels.discard(channel)
        self.confirmed.discard(channel)

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
            self._on_change()
            await asyncio.sleep(RECONNECT_DELAY)

    async def _run_once(self) -> None:
        """Connect, and serve the connection until it is lost."""
        connection: Connection = self._pool.make_connection()
        try:
            # redis-py would wait forever for the reply to AUTH.
            async with asyncio.timeout(READ_TIMEOUT):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._changed |= self._channels
            self._stream = ReplyStream(connection, self._on_reply, on_resume=self._wake.set)
            self._last_read_at = self._loop.time()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_loop(connection))
                tasks.create_task(self._stream.wait_until_lost())
                tasks.create_task(self._watchdog())
        finally:
            self._stream = None
            self.confirmed.clear()
            await connection.disconnect(nowait=True)

    async def _write_loop(self, connection: Connection) -> None:
        """Subscribe to changed channels or unsubscribe from them, and send PINGs."""
        while True:
            self._wake.clear()
            changed, self._changed = self._changed, set()
            await self._send_all(connection, "SUBSCRIBE", changed & self._channels)
            await self._send_all(connection, "UNSUBSCRIBE", changed - self._channels)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_INTERVAL):
                    await self._wake.wait()
                continue
            await self._send(connection, "PING")

    def _on_reply(self, reply: Any) -> None:
        """Deliver a message, or record the new state of a subscription."""
        match reply:
            case [b"message" | b"smessage", channel, message]:
                self._on_message(channel, message)
            case [b"subscribe" | b"ssubscribe", channel, _]:
                if channel in self._channels:
                    self.confirmed.add(channel)
                self._on_message(channel, b"")
            case [b"sunsubscribe", channel, _] if channel in self.confirmed:
                # The server itself has unsubscribed it, because its slot has moved.
                self.confirmed.discard(channel)
                self._topology.mark_stale()
                self._on_change()
            case AskError() | ClusterDownError():
                self._redirect(reply)
                return
            case RedisError() if self._stream is not None:
                self._stream.fail(reply)
                return
        self._last_read_at = self._loop.time()

    def _redirect(self, error: RedisError) -> None:
        """Report that a channel belongs to another node; not too often, while a slot moves."""
        if isinstance(error, MovedError):
            self._topology.move(error.slot_id, resolve(error.host, error.port, self._node))
        self._loop.call_later(REDIRECTION_DELAY, self._on_change)

    async def _send_all(self, connection: Connection, command: str, channels: set[bytes]) -> None:
        if not self._topology.is_cluster:
            if channels:
                await self._send(connection, command, *channels)
            return
        for channel in channels:  # their slots differ
            await self._send(connection, f"S{command}", channel)

    async def _send(self, connection: Connection, command: str, *channels: bytes) -> None:
        """Send a command.

        Raises:
            OSError, RedisError: the connection is lost.
        """
        if self._stream is not None and self._stream.is_lost:
            await self._stream.wait_until_lost()
        await connection.send_command(command, *channels, check_health=False)

    async def _watchdog(self) -> None:
        """Fail when nothing was read for `READ_TIMEOUT`.

        A timeout for each read would take as long as the rest of the read.
        """
        idle = 0.0
        while idle < READ_TIMEOUT:
            await asyncio.sleep(READ_TIMEOUT - idle)
            idle = self._loop.time() - self._last_read_at
        raise TimeoutError("no reply from Redis")
