"""The event loop of a web process, which accepts several connections per pass.

libuv accepts one connection per pass of the loop. While many clients send, a pass takes
milliseconds: connections then wait in the kernel's queue, those of other clients behind them, for
seconds even after the last of them was closed.
"""

from collections.abc import Sequence
from typing import Any

import uvloop

# Connections per pass, at most. Each takes about 0.2 ms.
ACCEPTS = 16


class Listeners:
    """Servers with copies of one socket."""

    def __init__(self, servers: Sequence[Any]) -> None:
        self._servers = servers

    @property
    def sockets(self) -> Any:
        return self._servers[0].sockets

    def close(self) -> None:
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        for server in self._servers:
            await server.wait_closed()


class EventLoop(uvloop.Loop):
    """Listens with `ACCEPTS` copies of each socket, each of which accepts a connection per pass."""

    async def create_server(self, *args: Any, **options: Any) -> Any:
        first: Any = await super().create_server(*args, **options)
        own = {name: options[name] for name in ("ssl", "backlog") if name in options}
        copies = [
            await super(EventLoop, self).create_server(*args[:1], sock=socket.dup(), **own)
            for socket in first.sockets
            for _ in range(ACCEPTS - 1)
        ]
        return Listeners([first, *copies])
