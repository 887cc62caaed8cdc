"""A connection that was opened by redis-py, and is read without it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError, InvalidResponse, ResponseError  # noqa: A004

from chat.store.reply_stream import ReplyStream
from tests.integration.store.stream_server import running_server


@asynccontextmanager
async def connection_to(
    serve: Callable[[asyncio.StreamWriter], None],
) -> AsyncIterator[Connection]:
    """Yield an open connection to a server that calls `serve` for each packet after the login."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b"GO" in data:
                serve(writer)
            else:
                writer.write(b"+OK\r\n" * data.count(b"CLIENT"))

    async with running_server(answer) as port:
        connection = Connection(host="127.0.0.1", port=port, protocol=2)
        await connection.connect()  # type: ignore[no-untyped-call]
        try:
            yield connection
        finally:
            await connection.disconnect(nowait=True)


async def exchange(serve: Callable[[asyncio.StreamWriter], None]) -> list[Any]:
    """Return the replies until the connection is lost; the last item is the reason."""
    replies: list[Any] = []
    async with connection_to(serve) as connection:
        stream = ReplyStream(connection, replies.append, on_resume=lambda: None)
        stream.write(b"GO")
        async with asyncio.timeout(10):
            try:
                await stream.wait_until_lost()
            except (ConnectionError, InvalidResponse, OSError) as error:
                replies.append(error)
    return replies


def test_replies_in_pieces_and_errors_are_passed_on() -> None:
    def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(b"*2\r\n$1\r\na\r\n:")
        writer.write(b"7\r\n-ERR no\r\n$-1\r\n:0\r\n")
        writer.close()

    first, error, none, zero, end = asyncio.run(exchange(serve))
    assert (first, none, zero) == ([b"a", 7], None, 0)
    assert isinstance(error, ResponseError)
    assert isinstance(end, ConnectionError)


def test_invalid_reply_ends_the_connection() -> None:
    replies = asyncio.run(exchange(lambda writer: writer.write(b"+ok\r\nHTTP/1.1 400\r\n")))
    assert replies[0] == b"ok"
    assert isinstance(replies[1], InvalidResponse)


def test_full_buffer_pauses_until_the_server_reads() -> None:
    async def work() -> None:
        resumed = asyncio.Event()
        async with connection_to(lambda _: None) as connection:
            stream = ReplyStream(connection, lambda _: None, on_resume=resumed.set)
            stream.write(bytes(50_000_000))
            was_paused = stream.is_paused
            async with asyncio.timeout(30):
                await resumed.wait()
            assert (was_paused, stream.is_paused) == (True, False)
            stream.fail(ConnectionError("the test ends"))
            with pytest.raises(ConnectionError, match="the test ends"):
                await stream.wait_until_lost()

    asyncio.run(work())


def test_replies_behind_a_failure_reach_no_other_request() -> None:
    replies: list[Any] = []

    async def work() -> None:
        def fail(reply: Any) -> None:
            replies.append(reply)
            stream.fail(ConnectionError("read-only"))

        packet = b"-READONLY no\r\n+for the next request\r\n"
        async with connection_to(lambda writer: writer.write(packet)) as connection:
            stream = ReplyStream(connection, fail, on_resume=lambda: None)
            stream.write(b"GO")
            async with asyncio.timeout(10):
                with pytest.raises(ConnectionError, match="read-only"):
                    await stream.wait_until_lost()
            assert stream.is_lost
            await asyncio.sleep(0.01)  # uvloop closes the handle
            stream.write(b"nothing")

    uvloop.run(work())
    (error,) = replies
    assert isinstance(error, ResponseError)
