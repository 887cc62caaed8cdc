"""The process: a socket, uvicorn without its frills, and a way to stop at once."""

import asyncio
import contextlib
import signal
import socket
import sys
from types import FrameType
from typing import Any, NoReturn, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fakemodel.app import App
from fakemodel.options import Options

BACKLOG = 4096  # connections not yet accepted; 2,000 may come in one moment
KEEP_ALIVE = 75  # seconds; a pooled client must not find its connection closed between two turns


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which also hands itself to the app so that it can be broken."""

    closed: asyncio.Future[None]
    """Done once the connection is gone, whoever closed it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.closed = self.loop.create_future()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["connection"] = self


class Server(uvicorn.Server):
    """uvicorn's server, which says where it listens and waits for nobody when it ends."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            sys.stdout.write(f"dev model listening on http://{host}:{port}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            cast("Connection", connection).transport.abort()
        await super().shutdown(sockets)


def serve(options: Options) -> None:
    """Serve until SIGINT or SIGTERM, upon which the process exits with 0."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    listener = bind(options.host, options.port)
    config = uvicorn.Config(
        cast("Any", App(options)),
        http=Connection,
        ws="none",
        loop="auto",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=1,
    )
    with contextlib.closing(listener):
        Server(config).run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; ends the process with 1 where the address is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SystemExit(f"The dev model cannot listen on {host}:{port}: {error}") from error


def leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """End the process in good order: uvicorn raises the signal again when it has stopped."""
    raise SystemExit(0)
