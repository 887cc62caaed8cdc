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
ONCE = Retry(NoBackoff(), 0)
"""How often a connection is to try by itself: `Wire` does it for all of them."""


class Wire:
    """Connections made by a pool of redis-py; threads share it."""

    def __init__(self, pool: ConnectionPool, *, tries: int) -> None:
        self._pool = pool
        self._tries = tries
        """Times that commands are sent when there is no answer."""
        self._idle: deque[Any] = deque()

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip; return each one's answer, or the error in its place.

        Raises:
            ConnectionError, TimeoutError: Redis gave no answer; they may have been carried out.
        """
        for _ in range(self._tries - 1):
            try:
                return self._ask(commands)
            except (ConnectionError, TimeoutError):
                # What has broken one connection has most likely broken the others, too.
                self._hang_up()
        return self._ask(commands)

    def _ask(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._take()
        is_answered = False
        try:
            connection.connect()
            connection.send_packed_command(connection.pack_commands(commands))
            answers = [_answer(connection) for _ in commands]
            is_answered = True
        finally:
            if not is_answered:
                connection.disconnect()  # its next use opens it again
            self._idle.append(connection)
        return answers

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            made: Any = self._pool.make_connection()
            made.retry = ONCE
            return made

    def _hang_up(self) -> None:
        for _ in range(len(self._idle)):
            connection = self._take()
            connection.disconnect()
            self._idle.appendleft(connection)
        self._pool.disconnect(inuse_connections=False)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ReadOnlyError as error:
        # Its name or address may lead to another server by now, this connection never will.
        raise ConnectionError("the primary is a replica now") from error
    except ResponseError as error:
        return error
