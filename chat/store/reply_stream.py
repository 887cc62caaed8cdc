"""The replies of a connection to Redis, passed on as they arrive.

redis-py opens the connection and logs in; then a `ReplyStream` takes it over. redis-py's own reader
suspends a task for each packet, and calls five functions for each reply: that took a tenth of the
CPU of a web process and of a worker under load (docs/adr/0047-redis-reply-stream.md).
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import Connection, DefaultParser
from redis.exceptions import ConnectionError, InvalidResponse  # noqa: A004  # redis-py's

# Called with each reply; errors of Redis are instances of `ResponseError`.
OnReply = Callable[[Any], None]


class ReplyStream(asyncio.Protocol):
    """Parses replies, and writes packets."""

    def __init__(
        self, connection: Connection, on_reply: OnReply, *, on_resume: Callable[[], None]
    ) -> None:
        """Take over a connection that redis-py has opened, and on which no reply is awaited.

        on_resume: called when the connection accepts packets again after `is_paused`.
        """
        self._on_reply = on_reply
        self._on_resume = on_resume
        self._parser = hiredis.Reader(
            protocolError=InvalidResponse, replyError=cast("Any", DefaultParser).parse_error
        )
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The buffer is full, because Redis reads too slowly.
        self.is_paused = False
        # redis-py has no public name for it (tests/integration/store/test_reply_stream.py).
        self._transport: Any = connection._writer.transport  # type: ignore[union-attr]  # noqa: SLF001
        self._transport.set_protocol(self)

    @property
    def is_lost(self) -> bool:
        return self._lost.done()

    def write(self, packet: bytes) -> None:
        """Write a packet, unless the connection is lost: uvloop's transport would raise."""
        if not self.is_lost:
            self._transport.write(packet)

    async def wait_until_lost(self) -> None:
        """Wait until the connection is lost.

        Raises:
            OSError, RedisError: always, with the reason.
        """
        await self._lost
        raise ConnectionError("the connection to Redis was closed")

    def fail(self, error: Exception) -> None:
        """End the connection; `wait_until_lost` raises the error."""
        if not self._lost.done():
            self._lost.set_exception(error)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        try:
            # `gets` returns false for an incomplete reply; in RESP2, no reply is false. The rest of
            # the packet after a failure belongs to requests that have failed.
            while not self.is_lost and (reply := self._parser.gets()) is not False:
                self._on_reply(reply)
        except InvalidResponse as error:
            self.fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        if self._lost.done():
            return
        if error is None:
            self._lost.set_result(None)
        else:
            self._lost.set_exception(error)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self._on_resume()
