"""Redis connections for scripts, without the overhead of redis-py's commands and pipelines.

redis-py's `execute_command` and pipelines take 82 us of CPU per script; this module takes 26. They
add health checks before each use, response callbacks and statistics. Scripts need none of these,
because they are safe to run twice.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import (
    ConnectionError,  # noqa: A004  # redis-py's
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004
)
from redis.retry import Retry

Command = Sequence[str | bytes | int | float]
# Connections do not retry by themselves; `ScriptConnection` does.
NO_RETRY = Retry(NoBackoff(), 0)


class ScriptConnection:
    """Persistent connections, created by a pool of redis-py; threads share them."""

    def __init__(self, pool: ConnectionPool, *, max_tries: int) -> None:
        self._pool = pool
        # Commands without a reply are sent at most this many times.
        self._max_tries = max_tries
        self._idle: deque[Any] = deque()

    def execute(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip; return each reply, or the error in its place.

        Raises:
            ConnectionError, TimeoutError: Redis did not answer; the commands may have run.
        """
        for _ in range(self._max_tries - 1):
            try:
                return self._execute_once(commands)
            except (ConnectionError, TimeoutError):
                # The other idle connections are probably broken as well.
                self.disconnect_idle()
        return self._execute_once(commands)

    def _execute_once(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._acquire()
        is_complete = False
        try:
            connection.connect()
            connection.send_packed_command(connection.pack_commands(commands))
            replies = [_read_reply(connection) for _ in commands]
            is_complete = True
        finally:
            if not is_complete:
                connection.disconnect()  # the next use reconnects
            self._idle.append(connection)
        return replies

    def _acquire(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            connection: Any = self._pool.make_connection()
            connection.retry = NO_RETRY
            return connection

    def disconnect_idle(self) -> None:
        """Close the connections that are not in use; their next use connects again."""
        for _ in range(len(self._idle)):
            connection = self._acquire()
            connection.disconnect()
            self._idle.appendleft(connection)
        self._pool.disconnect(inuse_connections=False)


def _read_reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ReadOnlyError as error:
        # The host name may resolve to a new primary; this connection never will.
        raise ConnectionError("the primary has become a replica") from error
    except ResponseError as error:
        return error
