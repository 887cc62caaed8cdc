"""The server process: uvicorn on one socket, which stops without waiting for clients."""

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

BACKLOG = 4096  # connections not yet accepted; tests open 2,000 at once
KEEP_ALIVE = 75  # seconds; longer than pooled clients are idle between two turns


class HTTPProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which gives the app access to the connection."""

    # Done once the connection is closed, by either side.
    closed: asyncio.Future[None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.closed = self.loop.create_future()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["protocol"] = self


class Server(uvicorn.Server):
    """uvicorn's server, which prints its address and closes all connections when it stops."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            sys.stdout.write(f"Fake model listening on http://{host}:{port}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for protocol in list(self.server_state.connections):
            cast("HTTPProtocol", protocol).transport.abort()
        await super().shutdown(sockets)


def serve(options: Options) -> None:
    """Serve until SIGINT or SIGTERM, then exit with status 0."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    listener = _listen(options.host, options.port)
    config = uvicorn.Config(
        cast("Any", App(options)),
        http=HTTPProtocol,
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SystemExit(f"The fake model cannot listen on {host}:{port}: {error}") from error


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    # uvicorn raises the signal again after its shutdown; the default handler would exit by it.
    raise SystemExit(0)
