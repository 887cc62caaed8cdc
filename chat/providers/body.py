"""The bytes of a vendor's response: decompressed, limited in size, and in time after the end."""

import time
from collections.abc import Iterator
from contextlib import suppress

from chat.domain.errors import ModelInvalidResponse
from chat.http import content_encoding
from chat.http.client import Response
from chat.http.errors import READ_ERRORS, InvalidHTTP
from chat.providers.deviations import invalid_response

# Maximum size of a stream, also after decompression. Each delta has some 300 bytes of JSON around
# it.
MAX_BYTES = 128 * 1024 * 1024
# Seconds to wait for what follows the finish reason, usage and the end of the stream. It is shorter
# than the model's own timeouts, so that none of them ends a reply that is complete.
MAX_TAIL_TIMEOUT = 2.0
# Seconds to wait for the end of a finished stream, so that its connection can be reused.
DRAIN_TIMEOUT = 0.1

_GZIP = b"\x1f"


class Body:
    """A body that has not been read yet."""

    def __init__(self, raw: Response, tail_timeout: float) -> None:
        self._raw = raw
        self._tail_timeout = tail_timeout
        self._encoding = raw.headers.get("content-encoding", "").strip().lower()
        # `None` for a body that is not compressed.
        self._decoder: content_encoding.Decoder | None = None
        # Decoded pieces of what was received last.
        self._pieces: Iterator[bytes] = iter(())
        # Bytes that may still be received, and decoded.
        self._left = self._decoded_left = MAX_BYTES
        self._has_started = False
        self.has_ended = False
        # The error that ended the body early, for after everything received has been read.
        self.failure: Exception | None = None
        # `time.monotonic()` after which no more is read; 0 without this limit.
        self._give_up_at = 0.0
        # The timeout without this limit.
        self._read_timeout = raw.read_timeout

    async def read(self) -> bytes:
        """Return what has arrived, or wait for more; b"" at the end, or after an error.

        It is decompressed if it is compressed, although the request does not accept that.

        Raises:
            ModelInvalidResponse: it is larger than `MAX_BYTES`.
        """
        if self._has_started and self._decoder is None:
            return await self._receive()
        try:
            return await self._read_decoded()
        except ValueError as error:
            self.failure = invalid_response(str(error))
            return b""

    def limit_tail(self) -> None:
        """Read for at most `tail_timeout` seconds more."""
        if not self._give_up_at:
            self._give_up_at = time.monotonic() + self._tail_timeout
            self._raw.read_timeout = self._tail_timeout

    def unlimit_tail(self) -> None:
        """Read to the end of the body after all."""
        if self._give_up_at:
            self._give_up_at = 0.0
            self._raw.read_timeout = self._read_timeout

    async def drain(self) -> None:
        """Read what follows a stream's end marker, so that the connection can be reused."""
        self._raw.read_timeout = DRAIN_TIMEOUT
        with suppress(*READ_ERRORS):  # the connection is closed
            await self._raw.read()

    async def _read_decoded(self) -> bytes:
        while True:
            if piece := next(filter(None, self._pieces), b""):
                self._decoded_left -= len(piece)
                if self._decoded_left < 0:
                    raise too_large()
                return piece
            received = await self._receive()
            if not self._has_started:
                self._has_started = True
                is_plain = self._encoding in content_encoding.PLAIN
                if is_plain and not received.startswith(_GZIP):
                    return received
                self._decoder = content_encoding.Decoder(self._encoding)
            if not received or self._decoder is None:
                return self._read_end()
            self._pieces = self._decoder.feed(received)

    def _read_end(self) -> bytes:
        """Return what the decoder still buffers, once."""
        end = self._decoder.end() if self._decoder else b""
        self._decoder = None
        return end

    async def _receive(self) -> bytes:
        data = b""
        try:
            if not (self.has_ended or (self._give_up_at and time.monotonic() > self._give_up_at)):
                data = await self._raw.read()
        except InvalidHTTP as error:
            self.failure = invalid_response(f"{error} in the body's framing")
        except READ_ERRORS as error:
            self.failure = error
        self.has_ended = not data
        self._left -= len(data)
        if self._left < 0:
            raise too_large()
        return data


def too_large() -> ModelInvalidResponse:
    return invalid_response("a body that is too large")
