"""Decode compressed bodies from servers that compress although the request accepts no encoding."""

import re
import zlib
from collections.abc import Iterator
from typing import Any

# What servers and clients send on data that is not compressed: the standard's value, nothing, and
# charsets.
PLAIN = {"", "identity", "none", "utf-8", "utf8"}
_GZIP_MAGIC = b"\x1f\x8b"
# Starts of a byte order mark, JSON, HTML and event streams. Deflated data has no magic number, and
# starts with one of these only by an improbable chance.
_PLAIN_START = re.compile(rb"\xef\xbb|\s[\s{\[<:deir]|[{\[<:][\x00-\x7f]|da|ev|er|id|re")
_DEFLATE_METHOD = 8
# Bytes of one decoded piece, so that a small chunk cannot become gigabytes at once.
_PIECE_BYTES = 64 * 1024


class Decoder:
    """Decodes a body as it arrives.

    The bytes decide whether a body is compressed: servers and gateways label plain data as
    compressed, and compressed data not at all.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        # The start of the body, until it is long enough to decide.
        self._head = b""
        self._is_decided = False
        # zlib's; `None` for plain data.
        self._unpacker: Any = None
        self._window_bits = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` adds, in pieces of up to 64 KiB if it is compressed.

        The caller limits their sum.

        Raises:
            ValueError: the compressed data is invalid.
        """
        if not self._is_decided:
            chunk = self._head + chunk
            if len(chunk) < len(_GZIP_MAGIC):
                self._head = chunk
                return
            self._decide(chunk)
        if self._unpacker is None:
            yield chunk
        else:
            yield from self._decompress(chunk)

    def end(self) -> bytes:
        """Return a body that was too short to decide."""
        return b"" if self._is_decided else self._head

    def _decide(self, head: bytes) -> None:
        self._is_decided = True
        window_bits = _window_bits(head, self._encoding)
        if window_bits is not None:
            self._window_bits = window_bits
            self._unpacker = zlib.decompressobj(window_bits)

    def _decompress(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._unpacker.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise ValueError(f"invalid compressed data: {error}") from error
            yield piece
            if self._unpacker.eof and self._unpacker.unused_data:  # gzip allows several members
                data = self._unpacker.unused_data
                self._unpacker = zlib.decompressobj(self._window_bits)
            elif self._unpacker.unconsumed_tail or len(piece) == _PIECE_BYTES:
                data = self._unpacker.unconsumed_tail  # the decoder may hold more than that
            else:
                return


def _window_bits(head: bytes, encoding: str) -> int | None:
    """Return zlib's `wbits` for the body that starts with `head`, or `None` for plain data."""
    if head.startswith(_GZIP_MAGIC):
        return 16 + zlib.MAX_WBITS
    if encoding != "deflate" or len(head) < len(_GZIP_MAGIC) or _PLAIN_START.match(head):
        return None
    has_header = head[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(head[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
