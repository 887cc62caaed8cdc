"""The handle on one model call, by which any thread can end it."""

import io
import socket
import threading
from contextlib import suppress

from chat.domain.errors import UpstreamClosed


class CancellableCall:
    """One model call as seen from outside: made by the caller, used for one call.

    Shutting down the TCP connection is the one act that wakes a thread wherever it waits: for
    the connection, a TLS handshake, headers or the next piece. urllib3's own
    `HTTPResponse.shutdown` comes too late for the first three and can hit a connection that is
    back in the pool (urllib3 issue 3581). So the connection itself is lent to the call, and
    taken back before it can be closed or used by another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self.sent_at: float | None = None
        """`time.monotonic()` at which the request went out."""
        self._sock: socket.socket | None = None
        self._hold: io.IOBase | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def cancel(self) -> None:
        """End the call within milliseconds; nothing happens if it is over, or was closed before.

        A name lookup cannot be interrupted: a call that waits for one ends after it.
        """
        with self._lock:
            self._closed = True
            self._shut()

    def raise_if_cancelled(self) -> None:
        """Go on unless the call was closed.

        Raises:
            UpstreamClosed: it was.
        """
        if self._closed:
            raise UpstreamClosed

    def attach(self, sock: socket.socket) -> None:
        """Let `close` reach `sock`; an earlier one is taken back. A closed call shuts it at once.

        The file made of it keeps its descriptor from being closed, and so from meaning another
        connection, while `close` may act on it.
        """
        hold = sock.makefile("rb", buffering=0)
        with self._lock:
            earlier, self._sock, self._hold = self._hold, sock, hold
            if self._closed:
                self._shut()
        if earlier is not None:
            earlier.close()

    def detach(self) -> None:
        """Put the connection out of `close`'s reach; after this it may serve another call."""
        with self._lock:
            hold, self._sock, self._hold = self._hold, None, None
        if hold is not None:
            hold.close()

    def _shut(self) -> None:
        if self._sock is None:
            return
        with suppress(OSError):  # the other side was faster
            # Not SSLSocket.shutdown: it takes the TLS state from under the thread that reads.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
