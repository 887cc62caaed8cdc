"""The Redis client of an event loop: all calls are pipelined on one connection to each server."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import hiredis
from django.conf import settings
from redis.asyncio.connection import Connection
from redis.exceptions import (
    ConnectionError,  # noqa: A004  # redis-py's
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
)

from chat.settings import chat_settings
from chat.store.async_pool import make_pool
from chat.store.client import client
from chat.store.reply_stream import ReplyStream
from chat.store.routing import MAX_TRIES, Command, Exchange
from chat.store.scripts import Call, execute_calls
from chat.store.topology import SERVER, Node

T = TypeVar("T")


class _Request:
    """The commands of one caller, and their replies so far."""

    __slots__ = ("deadline", "future", "packed", "replies", "size")

    def __init__(
        self, packed: bytes, size: int, future: asyncio.Future[list[Any]], deadline: float
    ) -> None:
        """deadline: by the loop's clock."""
        self.packed = packed
        self.size = size
        self.future = future
        self.deadline = deadline
        self.replies: list[Any] = []


class LoopConnection:
    """Executes requests of one event loop on one connection, and reconnects when it is lost.

    Requests of the same loop iteration are sent in one packet. Replies have the order of the
    requests, so one late reply ends the connection.
    """

    def __init__(self, url: str, node: Node, *, timeout: float) -> None:
        """timeout: seconds for a request, including a new connection."""
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._pool = make_pool(url, node, connect_timeout=timeout)
        self._unsent: list[_Request] = []
        self._sent: deque[_Request] = deque()
        self._is_flush_due = False
        self._task: asyncio.Task[None] | None = None
        self._stream: ReplyStream | None = None
        # Checks the deadline of the oldest request.
        self._timer: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Close the connection; requests in flight fail."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def send(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        """Send commands with the next packet; return their replies, errors among them.

        The future raises `ConnectionError` or `TimeoutError` if Redis did not answer; the commands
        may have run.
        """
        # redis-py's asynchronous connections pack in Python, which takes five times as long.
        pack: Any = hiredis.pack_command  # its stub allows a single argument only
        packed = b"".join([pack(tuple(command)) for command in commands])
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        deadline = self._loop.time() + self._timeout
        self._unsent.append(_Request(packed, len(commands), future, deadline))
        if self._task is None:
            self._task = self._loop.create_task(self._run_connection(), name="redis")
            self._task.add_done_callback(self._on_end)
        elif not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self.flush)
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._check_deadline)
        return future

    def flush(self) -> None:
        """Send the pending requests, except those whose caller has stopped waiting."""
        self._is_flush_due = False
        if self._stream is None or self._stream.is_paused:
            return
        requests = [each for each in self._unsent if not each.future.done()]
        self._unsent.clear()
        self._sent.extend(requests)
        self._stream.write(b"".join([each.packed for each in requests]))

    def _check_deadline(self) -> None:
        """End the connection if the oldest request has no replies in time."""
        self._timer = None
        oldest = next(chain(self._sent, self._unsent), None)
        if oldest is None:
            return
        if oldest.deadline > self._loop.time():
            self._timer = self._loop.call_at(oldest.deadline, self._check_deadline)
            return
        if not oldest.future.done():
            oldest.future.set_exception(TimeoutError("no reply from Redis in time"))
        if self._task is not None:
            self._task.cancel()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """Clean up after a task that was cancelled before it ran: uvloop runs due timers first."""
        if self._task is task:
            self._task = None
            self._fail_all(ConnectionError("the connection to Redis was not opened in time"))

    async def _run_connection(self) -> None:
        """Connect, and execute requests until the connection is lost. Then all of them fail."""
        error: Exception = ConnectionError("the connection to Redis was closed")
        connection: Connection = self._pool.make_connection()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            self._stream = ReplyStream(connection, self._on_reply, on_resume=self.flush)
            self.flush()
            await self._stream.wait_until_lost()
        except (RedisError, OSError) as failure:
            error = failure
        finally:
            self._task = self._stream = None
            self._fail_all(error)
            await connection.disconnect(nowait=True)

    def _on_reply(self, reply: Any) -> None:
        """Pass a reply to the oldest request."""
        if isinstance(reply, RedisError) and self._stream is not None:
            if isinstance(reply, ReadOnlyError):
                # The host name may resolve to a new primary; this connection never will.
                self._stream.fail(ConnectionError("the primary has become a replica"))
                return
            if not (self._sent and isinstance(reply, ResponseError)):
                self._stream.fail(reply)
                return
        request = self._sent[0]
        request.replies.append(reply)
        if len(request.replies) == request.size:
            self._sent.popleft()
            if not request.future.done():
                request.future.set_result(request.replies)

    def _fail_all(self, error: Exception) -> None:
        requests = [*self._sent, *self._unsent]
        self._sent.clear()
        self._unsent.clear()
        for request in requests:
            if not request.future.done():
                request.future.set_exception(_copy(error))


def _copy(error: Exception) -> ConnectionError | TimeoutError:
    """Return a new error for each caller, because raising one changes it."""
    kind = TimeoutError if isinstance(error, TimeoutError) else ConnectionError
    own = kind(str(error))
    own.__cause__ = error
    return own


class LoopClient:
    """Executes calls of one event loop, on one connection to each server."""

    def __init__(self) -> None:
        self._topology = client().topology
        # By URL and node.
        self._connections: dict[tuple[str, Node], LoopConnection] = {}

    async def run_pipeline(self, calls: Sequence[Call]) -> list[Any]:
        """Execute calls in one round trip; return each reply, or the error in its place.

        On a Cluster that includes the calls of a node that did not answer.

        Raises:
            ConnectionError, TimeoutError: no server answered; the calls may have run.
        """
        return await self._run(execute_calls(calls, self._topology))

    async def close(self) -> None:
        """Close the connections; calls in flight fail."""
        for connection in self._connections.values():
            await connection.close()

    async def _run(self, exchange: Exchange[T]) -> T:
        answers: Any = None
        try:
            while True:
                batches, delay = exchange.send(answers)
                if delay:
                    await asyncio.sleep(delay)
                # All batches are sent before the first reply is awaited.
                sent = {node: self._send(node, commands) for node, commands in batches.items()}
                answers = {}
                for node, replies in sent.items():
                    try:
                        answers[node] = await replies
                    except (ConnectionError, TimeoutError) as error:
                        answers[node] = error
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, node: Node, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        timeout = chat_settings.STORE_TIMEOUT / MAX_TRIES
        return self.connect(settings.REDIS_URL, node, timeout=timeout).send(commands)

    def connect(self, url: str, node: Node = SERVER, *, timeout: float) -> LoopConnection:
        """Return the connection to a server, which may be another one than the store's."""
        connection = self._connections.get((url, node))
        if connection is None:
            connection = self._connections[url, node] = LoopConnection(url, node, timeout=timeout)
        return connection


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopClient] = WeakKeyDictionary()


def loop_client() -> LoopClient:
    """Return the client of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _clients.get(loop)
    if found is None:
        found = _clients[loop] = LoopClient()
    return found


async def close_loop_client() -> None:
    """Close the connection of the running event loop."""
    found = _clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
