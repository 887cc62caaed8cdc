"""Decode compressed bodies from servers that compress although the request accepts no encoding."""

import re
import zlib
from collections.abc import Iterable, Iterator

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


def decode(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the decoded body in pieces of up to 64 KiB; the caller limits their sum.

    The bytes decide whether a body is compressed: servers and gateways label plain data as
    compressed, and compressed data not at all.

    Raises:
        ValueError: the compressed data is invalid.
    """
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= len(_GZIP_MAGIC):
            break
    window_bits = _window_bits(head, encoding)
    if window_bits is None:
        yield head
        yield from stream
    else:
        yield from _decompress(head, stream, window_bits)


def _window_bits(head: bytes, encoding: str) -> int | None:
    """Return zlib's `wbits` for the body that starts with `head`, or `None` for plain data."""
    if head.startswith(_GZIP_MAGIC):
        return 16 + zlib.MAX_WBITS
    if encoding != "deflate" or len(head) < len(_GZIP_MAGIC) or _PLAIN_START.match(head):
        return None
    has_header = head[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(head[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _decompress(head: bytes, chunks: Iterator[bytes], window_bits: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(window_bits)
    data = head
    while True:
        try:
            piece = decoder.decompress(data, _PIECE_BYTES)
        except zlib.error as error:
            raise ValueError(f"invalid compressed data: {error}") from error
        yield piece
        if decoder.eof and decoder.unused_data:  # gzip allows several members
            data, decoder = decoder.unused_data, zlib.decompressobj(window_bits)
        elif decoder.unconsumed_tail or len(piece) == _PIECE_BYTES:
            data = decoder.unconsumed_tail  # the decoder may hold more than that
        elif (data := next(chunks, b"")) == b"":
            return
