"""Waits of one connection, which share a timer."""

import asyncio

import pytest

from chat.http.loop_connection import Connection


def test_each_wait_has_its_own_timeout() -> None:
    async def run() -> None:
        connection, loop = Connection(), asyncio.get_running_loop()
        loop.call_soon(connection.data_received, b"x")
        await connection.wait(60)
        with pytest.raises(TimeoutError):
            await connection.wait(0.01)

        loop.call_soon(connection.data_received, b"x")
        await connection.wait(0.01)
        loop.call_later(0.1, connection.data_received, b"x")
        await connection.wait(60)
        assert connection.received == 3

    asyncio.run(run())


def test_wait_times_out_although_earlier_ones_did_not() -> None:
    async def run() -> None:
        connection, loop = Connection(), asyncio.get_running_loop()
        for _ in range(3):
            loop.call_later(0.01, connection.data_received, b"x")
            await connection.wait(0.2)
        with pytest.raises(TimeoutError):
            await connection.wait(0.2)

    asyncio.run(run())
