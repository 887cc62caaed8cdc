"""Connections to Redis, without the overhead of redis-py's commands and pipelines.

redis-py's `execute_command` and pipelines take 82 us of CPU per script; this module takes 26. They
add health checks before each use, response callbacks and statistics. Scripts need none of these,
because they are safe to run twice.

Replies have the form of RESP2: lists, integers and bytes.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import (
    ConnectionError,  # noqa: A004  # redis-py's
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from chat.store.routing import Answer, Command, Exchange
from chat.store.topology import Node

T = TypeVar("T")

# Connections do not retry by themselves; `routing.execute` does.
NO_RETRY = Retry(NoBackoff(), 0)


class ServerConnections:
    """Persistent connections to one server, created by a pool of redis-py; threads share them."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._idle: deque[Any] = deque()

    def send(self, commands: Sequence[Command]) -> Any:
        """Send commands; return the connection, for `receive`.

        Raises:
            ConnectionError, TimeoutError: the server cannot be reached.
        """
        connection = self._acquire()
        try:
            connection.connect()
            connection.send_packed_command(connection.pack_commands(commands))
        except BaseException as error:
            self._discard(connection, error)
            raise
        return connection

    def receive(self, connection: Any, count: int) -> list[Any]:
        """Return this number of replies, errors among them, and end the use of the connection.

        Raises:
            ConnectionError, TimeoutError: the server did not reply; the commands may have run.
        """
        try:
            replies = [_read_reply(connection) for _ in range(count)]
        except BaseException as error:
            self._discard(connection, error)
            raise
        self._idle.append(connection)
        return replies

    def _acquire(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            connection: Any = self._pool.make_connection()
            connection.retry = NO_RETRY
            return connection

    def _discard(self, connection: Any, error: BaseException) -> None:
        """Disconnect; the next use connects again."""
        connection.disconnect()
        self._idle.append(connection)
        if isinstance(error, RedisError):  # the other idle connections are probably broken as well
            self.disconnect_idle()

    def disconnect_idle(self) -> None:
        """Close the connections that are not in use; their next use connects again."""
        for _ in range(len(self._idle)):
            connection = self._acquire()
            connection.disconnect()
            self._idle.appendleft(connection)


def _read_reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ReadOnlyError as error:
        # The host name may resolve to a new primary; this connection never will.
        raise ConnectionError("the primary has become a replica") from error
    except ResponseError as error:
        return error


class Connections:
    """Connections to all servers; threads share them."""

    def __init__(self, make_pool: Callable[[Node], ConnectionPool]) -> None:
        self._make_pool = make_pool
        self._servers: dict[Node, ServerConnections] = {}

    def run(self, exchange: Exchange[T]) -> T:
        """Do what the generator yields; return its result."""
        answers: Any = None
        try:
            while True:
                batches, delay = exchange.send(answers)
                if delay:
                    time.sleep(delay)
                answers = self._exchange(batches)
        except StopIteration as end:
            result: T = end.value
            return result

    def _exchange(self, batches: Mapping[Node, Sequence[Command]]) -> dict[Node, Answer]:
        """Send all batches, then read all replies."""
        answers: dict[Node, Answer] = {}
        sent = []
        for node, commands in batches.items():
            server = self.server(node)
            try:
                sent.append((node, server, server.send(commands), len(commands)))
            except RedisError as error:
                answers[node] = error
        for node, server, connection, count in sent:
            try:
                answers[node] = server.receive(connection, count)
            except RedisError as error:
                answers[node] = error
        return answers

    def server(self, node: Node) -> ServerConnections:
        """Return the connections to one server."""
        found = self._servers.get(node)
        return found or self._servers.setdefault(node, ServerConnections(self._make_pool(node)))

    def disconnect_idle(self) -> None:
        """Close the connections that are not in use."""
        for server in list(self._servers.values()):
            server.disconnect_idle()
