"""Aborts the connections of clients that read slowly or not at all.

asyncio closes a connection only when the client has read all that was written, and uvicorn has no
write timeout. A client that stops reading would keep its connection, and megabytes of unsent data,
for as long as its kernel answers.
"""

import asyncio
from typing import Any

from chat.accounts.connections import Connection
from chat.buffers import Buffer, buffer_limit
from chat.settings import chat_settings

# A client with a full write buffer must read this many bytes per `WRITE_TIMEOUT` seconds.
MIN_BYTES = 64 * 1024


class ClosedTransport(asyncio.Transport):
    """Replaces the transport of a lost connection; all its methods do nothing."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


CLOSED = ClosedTransport()


class TimeoutTransport:
    """A transport that aborts the connection of a client that does not read.

    The timer runs while the write buffer is above asyncio's high-water mark, and after `close()`. A
    client with less in its buffer may just have nothing to read.
    """

    def __init__(self, inner: asyncio.Transport, timeout: float) -> None:
        self.write = inner.write
        self.inner: asyncio.Transport = inner
        # Seconds that a client may stop reading.
        self._timeout = timeout
        # Size of the write buffer at the last check.
        self._buffered = 0
        self._timer: asyncio.TimerHandle | None = None
        peer = inner.get_extra_info("peername")
        self.connection = Connection(peer[0] if isinstance(peer, tuple) else "", inner.abort)
        # Counts the write buffer while it is above the high-water mark.
        self._buffer: Buffer | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def close(self) -> None:
        """Close once the client has read everything or has timed out."""
        if not self.inner.is_closing():  # a second call breaks asyncio's TLS transport
            self.inner.close()
        self.start_timer()

    def switch_protocol(self, timeout: float) -> bool:
        """Use another timeout for the next protocol; return whether the timer was running."""
        was_running = self.is_timer_running
        self.stop_timer()
        self._timeout = timeout
        return was_running

    def detach(self) -> None:
        """Release the inner transport: with TLS it holds 256 KiB until garbage collection."""
        self.stop_timer()
        self.uncount_buffer()
        self.connection.close()
        self.inner = CLOSED
        self.write = CLOSED.write

    def count_buffer(self) -> None:
        """Count the write buffer together with those of other clients."""
        if self._buffer is None:
            self._buffer = Buffer(
                self.connection.address, self.inner.get_write_buffer_size, self.inner.abort
            )
        buffer_limit.count(self._buffer)

    def uncount_buffer(self) -> None:
        if self._buffer is not None:
            buffer_limit.remove(self._buffer)
            self._buffer = None

    @property
    def is_timer_running(self) -> bool:
        return self._timer is not None

    def start_timer(self) -> None:
        if self._timer is None and self.inner is not CLOSED:
            self._schedule_check()

    def stop_timer_unless_closing(self) -> None:
        if not self.inner.is_closing():
            self.stop_timer()

    def stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule_check(self) -> None:
        self._buffered = self.inner.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._buffered - self.inner.get_write_buffer_size() < MIN_BYTES:
            self.inner.abort()
        else:
            self._schedule_check()


class WriteTimeoutMixin(asyncio.Protocol):
    """Runs one of uvicorn's protocols on a `TimeoutTransport`."""

    # Seconds that are added to `WRITE_TIMEOUT`.
    EXTRA_WRITE_TIMEOUT = 0.0
    transport: Any

    def connection_made(self, transport: Any) -> None:
        timeout = chat_settings.WRITE_TIMEOUT + self.EXTRA_WRITE_TIMEOUT
        is_new = not isinstance(transport, TimeoutTransport)
        wrapped = TimeoutTransport(transport, timeout) if is_new else transport
        was_timer_running = not is_new and wrapped.switch_protocol(timeout)
        super().connection_made(wrapped)  # type: ignore[arg-type]
        if was_timer_running:  # asyncio called pause_writing on the previous protocol only
            self.pause_writing()

    def abort(self) -> None:
        """Close the connection now and drop unsent data.

        With TLS, a regular close would wait half a minute for the client's reply.
        """
        self.transport.inner.abort()

    def pause_writing(self) -> None:
        self.transport.start_timer()
        super().pause_writing()
        self.transport.count_buffer()

    def eof_received(self) -> None:
        """Start the timer: the inner transport closes by itself after the client's EOF."""
        super().eof_received()
        self.transport.start_timer()

    def resume_writing(self) -> None:
        self.transport.stop_timer_unless_closing()
        self.transport.uncount_buffer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.transport.detach()
