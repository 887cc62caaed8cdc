"""The end of a response's body: after a number of bytes, after the last chunk, or at the close.

Each class takes the part of the body that has arrived from the start of a buffer. What arrives is
passed on at once, also the start of a chunk, so that a cut response loses nothing.
"""

from collections.abc import Mapping

from chat.http.errors import Disconnected, InvalidHTTP

# Bytes of a line with the size of a chunk, and of all trailers.
MAX_LINE = 16 * 1024
MAX_LENGTH_DIGITS = 18
_CRLF = b"\r\n"
_NO_BODY = {204, 304}


class Sized:
    """A body of a known size."""

    # Whether another response can follow on the connection.
    is_reusable = True

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def is_done(self) -> bool:
        return not self._left

    def take(self, buffer: bytearray) -> bytes:
        """Remove the received part of the body from the buffer, and return it."""
        data = bytes(buffer[: self._left])
        del buffer[: len(data)]
        self._left -= len(data)
        return data

    def end(self) -> None:
        """Check that the body may end here.

        Raises:
            Disconnected: it is incomplete.
        """
        if self._left:
            raise Disconnected(f"{self._left} bytes of the body are missing")


class UntilClose:
    """A body that ends with the connection."""

    is_reusable = False
    is_done = False

    def take(self, buffer: bytearray) -> bytes:
        data = bytes(buffer)
        buffer.clear()
        return data

    def end(self) -> None:
        """Do nothing: every end is the end."""


class Chunked:
    """A body in chunks, each after a line with its size."""

    is_reusable = True

    def __init__(self) -> None:
        # Bytes of the current chunk, and of the line end after it.
        self._left = 0
        self._is_in_trailers = False
        self._trailer_bytes = 0
        self._error: Exception | None = None
        self.is_done = False

    def take(self, buffer: bytearray) -> bytes:
        """Remove the received part of the body from the buffer, and return its data.

        Raises:
            InvalidHTTP, Disconnected: as `_start_chunk`, once the data before has been returned.
        """
        parts: list[bytes] = []
        try:
            while buffer and not self.is_done and self._take_part(buffer, parts):
                pass
        except (InvalidHTTP, Disconnected):
            if not parts:
                raise  # else the next call finds the same line
        return b"".join(parts)

    def end(self) -> None:
        """Check that the body may end here: after the last chunk, whose trailers may be missing.

        Raises:
            Disconnected: it is incomplete.
        """
        if not (self.is_done or self._is_in_trailers):
            raise Disconnected("a chunk of the body is missing")

    def _take_part(self, buffer: bytearray, parts: list[bytes]) -> bool:
        """Take a line, or the received part of a chunk; return whether there may be more."""
        if self._left:
            self._take_data(buffer, parts)
            return True
        end = buffer.find(b"\n")
        if end < 0:
            if len(buffer) > MAX_LINE:
                raise InvalidHTTP("a line that is too long")
            return False
        if self._is_in_trailers:
            self._take_trailer(buffer, end)
        else:
            self._start_chunk(bytes(buffer[:end]))
            del buffer[: end + 1]
        return True

    def _take_data(self, buffer: bytearray, parts: list[bytes]) -> None:
        data = bytes(buffer[: self._left])
        del buffer[: len(data)]
        before = max(0, self._left - len(_CRLF))
        self._left -= len(data)
        if data := data[:before]:
            parts.append(data)

    def _start_chunk(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise Disconnected("no size of a chunk") from None
        if size < 0 or len(line) > MAX_LINE:
            raise InvalidHTTP("an invalid chunk")
        self._left = size + len(_CRLF) if size else 0
        self._is_in_trailers = not size

    def _take_trailer(self, buffer: bytearray, end: int) -> None:
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        self._trailer_bytes += end
        if self._trailer_bytes > MAX_LINE:
            raise InvalidHTTP("trailers that are too long")
        self.is_done = not line.strip()


Framing = Sized | UntilClose | Chunked


def framing_of(status: int, headers: Mapping[str, str]) -> Framing:
    """Return the framing of a response's body.

    Raises:
        InvalidHTTP: it has two different lengths, or one of more digits than a length can have.
    """
    if status in _NO_BODY:
        return Sized(0)
    encodings = headers.get("transfer-encoding", "").lower().split(",")
    if "chunked" in map(str.strip, encodings):
        return Chunked()
    lengths = {text.strip() for text in headers.get("content-length", "").split(",")}
    if len(lengths) > 1:
        raise InvalidHTTP("two different lengths")
    text = lengths.pop()
    if len(text) > MAX_LENGTH_DIGITS:
        raise InvalidHTTP("a Content-Length that is too long")
    return Sized(int(text)) if text.isascii() and text.isdigit() else UntilClose()
