"""The bytes of a vendor's response: decompressed, limited in size, and in time after the end."""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import chain

from chat.domain.errors import ModelInvalidResponse
from chat.http import content_encoding
from chat.http.cancellation import CancellableCall
from chat.http.connections import PoolResponse
from chat.providers import errors
from chat.providers.deviations import invalid_response

# Maximum size of a stream, also after decompression. Each delta has some 300 bytes of JSON around
# it.
MAX_BYTES = 128 * 1024 * 1024
# Seconds to wait for what follows the finish reason, usage and the end of the stream. It is shorter
# than the model's own timeouts, so that none of them ends a reply that is complete.
MAX_TAIL_TIMEOUT = 2.0
# Seconds to wait for the end of a finished stream, so that its connection can be reused.
DRAIN_TIMEOUT = 0.1

_CHUNK_BYTES = 64 * 1024
_GZIP = b"\x1f"


class Body:
    """A body that has not been read yet."""

    def __init__(self, raw: PoolResponse, call: CancellableCall, tail_timeout: float) -> None:
        self._raw = raw
        self._call = call
        self._tail_timeout = tail_timeout
        # iter_chunks takes a third of the time of read1, but can read chunked bodies only.
        self._received: Iterator[bytes] = (
            raw.iter_chunks(_CHUNK_BYTES)
            if raw.chunked
            else iter(partial(raw.read1, _CHUNK_BYTES), b"")
        )
        self.has_ended = False
        # The error that ended the body early, for after everything received has been read.
        self.failure: Exception | None = None
        # `time.monotonic()` after which no more is read; 0 without this limit.
        self._give_up_at = 0.0
        # The socket's timeout without this limit.
        self._read_timeout: float | None = None

    def chunks(self) -> Iterator[bytes]:
        """Return the body as it arrives; an error of the connection ends it.

        It is decompressed if it is compressed, although the request does not accept that.

        Raises:
            ModelInvalidResponse: it is larger than `MAX_BYTES`.
            UpstreamClosed: the call was cancelled.
        """
        encoding = self._raw.headers.get("content-encoding", "").strip().lower()
        chunks = self._read()
        first = next(chunks, b"")
        chunks = chain((first,), chunks)
        if encoding in content_encoding.PLAIN and not first.startswith(_GZIP):
            return chunks
        return self._decompress(chunks, encoding)

    def limit_tail(self) -> None:
        """Read for at most `tail_timeout` seconds more."""
        if not self._give_up_at:
            self._give_up_at = time.monotonic() + self._tail_timeout
            self._read_timeout = self._call.set_timeout(self._tail_timeout)

    def unlimit_tail(self) -> None:
        """Read to the end of the body after all."""
        if self._give_up_at:
            self._give_up_at = 0.0
            self._call.set_timeout(self._read_timeout)

    def drain(self) -> None:
        """Read what follows a stream's end marker, so that the connection can be reused."""
        self._call.set_timeout(DRAIN_TIMEOUT)
        with suppress(ValueError, *errors.READ_ERRORS):  # urllib3 has closed the connection
            next(self._received, None)

    def _read(self) -> Iterator[bytes]:
        left = MAX_BYTES
        try:
            for chunk in self._received:
                left -= len(chunk)
                if left < 0:
                    raise too_large()
                self._call.raise_if_cancelled()
                if self._give_up_at and time.monotonic() > self._give_up_at:
                    break
                yield chunk
        except ValueError as error:  # an invalid chunk size
            self.failure = invalid_response(f"{type(error).__name__} in the body's framing")
        except errors.READ_ERRORS as error:
            self.failure = error
        self.has_ended = True

    def _decompress(self, chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
        left = MAX_BYTES
        try:
            for piece in content_encoding.decode(chunks, encoding):
                left -= len(piece)
                if left < 0:
                    raise too_large()
                yield piece
        except ValueError as error:
            self.failure = invalid_response(str(error))


def too_large() -> ModelInvalidResponse:
    return invalid_response("a body that is too large")
