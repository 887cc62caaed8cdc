"""The event loop accepts many connections per pass, and stops listening when it is closed."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from project.server.event_loop import EventLoop

CONNECTIONS = 64


class Counter(asyncio.Protocol):
    accepted = 0

    def connection_made(self, _: asyncio.BaseTransport) -> None:
        Counter.accepted += 1


async def count_passes() -> int:
    """Return the passes in which connections are accepted that are all waiting."""
    server = await asyncio.get_running_loop().create_server(Counter, "127.0.0.1", 0, backlog=128)
    address = server.sockets[0].getsockname()
    passes = 0
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(address))
        while Counter.accepted < CONNECTIONS:
            passes += 1
            await asyncio.sleep(0)
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    return passes


@pytest.mark.security("S49")
def test_waiting_connections_are_accepted_in_few_passes() -> None:
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(count_passes()) < CONNECTIONS / 4
