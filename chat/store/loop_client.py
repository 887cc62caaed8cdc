"""The Redis client of an event loop: all calls are pipelined on one connection to each server."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import hiredis
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
from chat.store.routing import MAX_TRIES, Answer, Command, Exchange
from chat.store.scripts import Call, execute_calls
from chat.store.topology import Node

T = TypeVar("T")


class _Request:
    """The commands of one caller, and their replies so far."""

    __slots__ = ("future", "packed", "replies", "size", "timer")

    def __init__(self, packed: bytes, size: int, future: asyncio.Future[list[Any]]) -> None:
        self.packed = packed
        self.size = size
        self.future = future
        self.replies: list[Any] = []
        # Ends the request; set once it is sent.
        self.timer: asyncio.TimerHandle | None = None

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class LoopConnection:
    """Executes requests of one event loop on one connection, and reconnects when it is lost.

    Requests of the same loop iteration are sent in one packet. Replies have the order of the
    requests, so one late reply ends the connection.
    """

    def __init__(self, node: Node) -> None:
        self._loop = asyncio.get_running_loop()
        # Seconds for one try of a request, including a new connection.
        self._timeout = chat_settings.STORE_TIMEOUT / MAX_TRIES
        self._pool = make_pool(node, connect_timeout=self._timeout)
        self._unsent: list[_Request] = []
        self._sent: deque[_Request] = deque()
        self._has_unsent = asyncio.Event()
        self._server: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close the connection; requests in flight fail."""
        if self._server is not None:
            self._server.cancel()
            await asyncio.wait([self._server])

    def send(self, commands: Sequence[Command]) -> _Request:
        """Send commands with the next packet; return the request, for `receive`."""
        # redis-py's asynchronous connections pack in Python, which takes five times as long.
        pack: Any = hiredis.pack_command  # its stub allows a single argument only
        packed = b"".join([pack(tuple(command)) for command in commands])
        request = _Request(packed, len(commands), self._loop.create_future())
        self._unsent.append(request)
        self._has_unsent.set()
        if self._server is None:
            self._server = self._loop.create_task(self._serve(), name="redis")
            self._server.add_done_callback(self._on_end)
        request.timer = self._loop.call_later(self._timeout, self._expire, request)
        return request

    async def receive(self, request: _Request) -> list[Any]:
        """Return the replies, errors among them.

        Raises:
            ConnectionError, TimeoutError: Redis did not answer; the commands may have run.
        """
        try:
            return await request.future
        finally:
            request.cancel_timer()

    def _expire(self, request: _Request) -> None:
        if request.future.done():
            return
        request.future.set_exception(TimeoutError("no reply from Redis in time"))
        if self._server is not None:
            self._server.cancel()

    def _on_end(self, server: asyncio.Task[None]) -> None:
        """Clean up after a task that was cancelled before it ran: uvloop runs due timers first."""
        if self._server is server:
            self._server = None
            self._fail_all(ConnectionError("the connection to Redis was not opened in time"))

    async def _serve(self) -> None:
        """Connect, and execute requests until the connection is lost. Then all of them fail."""
        error: Exception = ConnectionError("the connection to Redis was closed")
        connection: Connection = self._pool.make_connection()
        writer: asyncio.Task[None] | None = None
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            writer = self._loop.create_task(self._write(connection))
            await self._read(connection)
        except (RedisError, OSError) as failure:
            error = failure
        finally:
            self._server = None
            if writer is not None:
                writer.cancel()
            self._fail_all(error)
            await connection.disconnect(nowait=True)

    async def _write(self, connection: Connection) -> None:
        """Send requests as they come. If this fails, the reader notices the lost connection."""
        with suppress(RedisError, OSError):
            while True:
                await self._has_unsent.wait()
                self._has_unsent.clear()
                requests = [each for each in self._unsent if not each.future.done()]
                self._unsent.clear()
                self._sent.extend(requests)
                packed = b"".join([request.packed for request in requests])
                await connection.send_packed_command(packed, check_health=False)

    async def _read(self, connection: Connection) -> None:
        while True:
            try:
                reply = await connection.read_response()
            except ReadOnlyError as error:
                # The host name may resolve to a new primary; this connection never will.
                raise ConnectionError("the primary has become a replica") from error
            except ResponseError as error:
                reply = error
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
        self._connections: dict[Node, LoopConnection] = {}

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
                answers = await self._exchange(batches)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _exchange(self, batches: Mapping[Node, Sequence[Command]]) -> dict[Node, Answer]:
        """Send all batches, then wait for all replies."""
        sent = []
        for node, commands in batches.items():
            connection = self._connections.get(node) or self._connections.setdefault(
                node, LoopConnection(node)
            )
            sent.append((node, connection, connection.send(commands)))
        answers: dict[Node, Answer] = {}
        for node, connection, request in sent:
            try:
                answers[node] = await connection.receive(request)
            except (ConnectionError, TimeoutError) as error:
                answers[node] = error
        return answers


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
