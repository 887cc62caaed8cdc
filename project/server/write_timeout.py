"""Clients that read slowly, or not at all: their connections are cut, and what waits is dropped.

asyncio closes a connection only when its client has read all that was written, and uvicorn leaves
it at that: who reads nothing keeps the connection, and an answer's megabytes in memory, for as long
as his kernel says that it is there.
"""

import asyncio
from typing import Any

from chat.settings import chat_settings

LEAST = 64 * 1024
"""Bytes that a client takes in `SOCKET_PATIENCE` seconds at least, while more wait for it."""


class Gone(asyncio.Transport):
    """In place of a transport whose connection is lost: nothing comes of what is asked of it."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drop it."""

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """Be closed."""

    def abort(self) -> None:
        """Be closed."""

    def pause_reading(self) -> None:
        """Be silent."""

    def resume_reading(self) -> None:
        """Be silent."""


GONE = Gone()


class Line:
    """A transport that cuts its connection on a client who does not read.

    Watched are those on whom more waits than asyncio's high-water mark, and those at the end, for
    who has less waiting may just have nothing to do.
    """

    def __init__(self, transport: asyncio.Transport, patience: float) -> None:
        self.write = transport.write
        self.bare: asyncio.Transport = transport
        self._patience = patience
        """Seconds."""
        self._left = 0
        """Bytes that waited at the last look."""
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)

    def close(self) -> None:
        """Close when the client has read all, or has stopped reading."""
        if not self.bare.is_closing():  # a second time takes asyncio's TLS to pieces
            self.bare.close()
        self.watch()

    def hand_on(self, patience: float) -> bool:
        """Begin anew for another protocol; return whether it was watched."""
        was_watched = self.is_watched
        self.forget()
        self._patience = patience
        return was_watched

    def lose(self) -> None:
        """Let the transport go: TLS has 256 KiB, and garbage is looked for seldom."""
        self.forget()
        self.bare = GONE
        self.write = GONE.write

    @property
    def is_watched(self) -> bool:
        """Whether it is looked at."""
        return self._timer is not None

    def watch(self) -> None:
        """Look from now on whether the client reads."""
        if self._timer is None and self.bare is not GONE:
            self._look_later()

    def relax(self) -> None:
        """Look no more, unless the connection is closing."""
        if not self.bare.is_closing():
            self.forget()

    def forget(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        self._left = self.bare.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._patience, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._left - self.bare.get_write_buffer_size() < LEAST:
            self.bare.abort()
        else:
            self._look_later()


class Impatient(asyncio.Protocol):
    """A protocol of uvicorn's, but on a `Line`."""

    GRACE = 0.0
    """Seconds that a client is given beyond `SOCKET_PATIENCE`."""
    transport: Any

    def connection_made(self, transport: Any) -> None:
        patience = chat_settings.WRITE_TIMEOUT + self.GRACE
        is_new = not isinstance(transport, Line)
        line = Line(transport, patience) if is_new else transport
        was_watched = not is_new and line.hand_on(patience)
        super().connection_made(line)  # type: ignore[arg-type]
        if was_watched:  # and asyncio does not tell another protocol of what it told the first
            self.pause_writing()

    def hang_up(self) -> None:
        """Close now: what waits is dropped, and what the client's kernel has is still his.

        Closing in good order, TLS would wait half a minute for the client to agree.
        """
        self.transport.bare.abort()

    def pause_writing(self) -> None:
        self.transport.watch()
        super().pause_writing()

    def eof_received(self) -> None:
        """Watch who says that he sends no more: the bare transport closes by itself then."""
        super().eof_received()
        self.transport.watch()

    def resume_writing(self) -> None:
        self.transport.relax()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.transport.lose()
