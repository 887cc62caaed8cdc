"""A TCP server on the event loop of a test, for connections that fail in all ways."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def running_server(serve: Serve) -> AsyncIterator[int]:
    """Yield the server's port. At the end all connections are closed: clients must close theirs."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(OSError):  # the client may abort the connection
            try:
                await serve(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # A connection that was just accepted gets its task in the next iterations.
        await asyncio.sleep(0.01)
        await asyncio.gather(*filter(None, tasks))
