"""Commands to Redis and their answers, over connections that are kept open.

redis-py's own `execute_command` and pipelines take three times the CPU of what they do with the
connection (measured: 82 us a script against 26). What they add is not for scripts, which are safe
to run twice: probing a connection before each use, callbacks by command, statistics.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import (
    ConnectionError,  # noqa: A004  # redis-py's own; no other is meant in this module
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004
)
from redis.retry import Retry

Command = Sequence[str | bytes | int | float]
NO_RETRY = Retry(NoBackoff(), 0)
"""How often a connection is to try by itself: `Wire` does it for all of them."""


class ScriptConnection:
    """Connections made by a pool of redis-py; threads share it."""

    def __init__(self, pool: ConnectionPool, *, max_tries: int) -> None:
        self._pool = pool
        self._max_tries = max_tries
        """Times that commands are sent when there is no answer."""
        self._idle: deque[Any] = deque()

    def execute(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip; return each one's answer, or the error in its place.

        Raises:
            ConnectionError, TimeoutError: Redis gave no answer; they may have been carried out.
        """
        for _ in range(self._max_tries - 1):
            try:
                return self._execute_once(commands)
            except (ConnectionError, TimeoutError):
                # What has broken one connection has most likely broken the others, too.
                self._disconnect_idle()
        return self._execute_once(commands)

    def _execute_once(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._acquire()
        is_answered = False
        try:
            connection.connect()
            connection.send_packed_command(connection.pack_commands(commands))
            answers = [_read_reply(connection) for _ in commands]
            is_answered = True
        finally:
            if not is_answered:
                connection.disconnect()  # its next use opens it again
            self._idle.append(connection)
        return answers

    def _acquire(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            made: Any = self._pool.make_connection()
            made.retry = NO_RETRY
            return made

    def _disconnect_idle(self) -> None:
        for _ in range(len(self._idle)):
            connection = self._acquire()
            connection.disconnect()
            self._idle.appendleft(connection)
        self._pool.disconnect(inuse_connections=False)


def _read_reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ReadOnlyError as error:
        # Its name or address may lead to another server by now, this connection never will.
        raise ConnectionError("the primary is a replica now") from error
    except ResponseError as error:
        return error
