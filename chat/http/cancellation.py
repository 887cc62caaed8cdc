"""Cancel one HTTP call at any moment, from any thread, or at a deadline."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Lock, Timer

from chat.domain.errors import UpstreamClosed


class CancellableCall:
    """One HTTP call: its caller creates it, and any thread may cancel it.

    Shutting down the TCP connection wakes a blocked thread wherever it waits: for the connection, a
    TLS handshake, headers or the next bytes. urllib3's `HTTPResponse.shutdown` comes too late for
    the first three, and can hit a connection that is back in the pool (urllib3 issue 3581).
    Therefore the connection attaches its socket to the call, and detaches it before the socket is
    closed or serves another call.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_cancelled = False
        self._socket: socket.socket | None = None
        # A file of the socket: while it is open, the descriptor cannot be closed and reused.
        self._file: io.IOBase | None = None

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def cancel(self) -> None:
        """End the call within milliseconds; do nothing if it is over or cancelled already.

        A DNS lookup cannot be interrupted: the call ends after it.
        """
        with self._lock:
            self._is_cancelled = True
            self._shut_down()

    def raise_if_cancelled(self) -> None:
        """Check for a cancellation before a step of the call.

        Raises:
            UpstreamClosed: the call was cancelled.
        """
        if self._is_cancelled:
            raise UpstreamClosed

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Cancel the call if the block takes longer than `seconds`.

        A socket timeout is no substitute: it limits each single wait, so a server that sends one
        byte at a time can keep a call open forever.

        Raises:
            TimeoutError: the call was cancelled. It replaces any error that the block raised.
        """
        timer = Timer(seconds, self.cancel)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self.detach()
            # A response whose headers were cut off looks complete and causes no error.
            if self._is_cancelled:
                raise TimeoutError

    def attach(self, sock: socket.socket) -> None:
        """Let `cancel` shut `sock` down instead of an earlier one; at once if already cancelled."""
        file = sock.makefile("rb", buffering=0)
        with self._lock:
            earlier, self._socket, self._file = self._file, sock, file
            if self._is_cancelled:
                self._shut_down()
        if earlier is not None:
            earlier.close()

    def detach(self) -> None:
        """Protect the connection from `cancel`; after this it may serve another call."""
        with self._lock:
            file, self._socket, self._file = self._file, None, None
        if file is not None:
            file.close()

    def _shut_down(self) -> None:
        if self._socket is None:
            return
        with suppress(OSError):  # the server was faster
            # Not SSLSocket.shutdown: it discards the TLS state that the reading thread uses.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


# The call that this thread is sending: requests and urllib3 have no parameter for it.
current_call: ContextVar[CancellableCall] = ContextVar("current_call")
