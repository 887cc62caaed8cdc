import gzip
import zlib
from collections.abc import Iterable, Iterator

import pytest

from chat.http.content_encoding import Decoder

TEXT = b"data: a\n\n" * 1000


def decode(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = Decoder(encoding)
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield decoder.end()


@pytest.mark.parametrize("encoding", ["", "none", "gzip", "x", "deflate"])
def test_plain_data_is_unchanged(encoding: str) -> None:
    for parts in ([b"d", b"ata"], [b"d"], [b""], []):
        assert b"".join(decode(parts, encoding)) == b"".join(parts)


@pytest.mark.parametrize("encoding", ["", "none", "gzip", "x-gzip", "x"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_gzip_is_decoded_whatever_the_header_says(encoding: str, size: int) -> None:
    data = gzip.compress(TEXT) + gzip.compress(b"second")
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    assert b"".join(decode(parts, encoding)) == TEXT + b"second"


def test_deflate_is_decoded_with_and_without_header() -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for data in (zlib.compress(TEXT), raw.compress(TEXT) + raw.flush()):
        assert b"".join(decode([data[:3], data[3:]], "deflate")) == TEXT


def test_small_chunk_becomes_small_pieces() -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    pieces = list(decode([bomb], "gzip"))
    assert max(map(len, pieces)) <= 64 * 1024
    assert sum(map(len, pieces)) == 10_000_000


def test_invalid_data_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid compressed data"):
        list(decode([b"\x1f\x8b" + b"\xff" * 50], "gzip"))


def test_deflate_without_header_may_start_like_text_or_a_header() -> None:
    starts = set()
    for number in range(3000):
        text = b"data: {%d}\n\n" % number**3 * (1 + number % 9)
        raw = zlib.compressobj(level=number % 10, wbits=-zlib.MAX_WBITS)
        data = raw.compress(text) + raw.flush()
        starts.add(int.from_bytes(data[:2]) % 31)
        assert b"".join(decode([data], "deflate")) == text
    assert 0 in starts


@pytest.mark.parametrize("blank", [b"\n\n", b"\r\n", b"  ", b"\n"])
def test_plain_data_with_blank_lines_is_no_deflate(blank: bytes) -> None:
    parts = [bytes([byte]) for byte in blank + b"data: a"]
    assert b"".join(decode(parts, "deflate")) == blank + b"data: a"


def test_piece_of_any_size_is_decoded_before_the_next_chunk() -> None:
    for size in range(64 * 1024 - 5, 64 * 1024 + 300):
        packer = zlib.compressobj()
        chunk = packer.compress(b" " * size) + packer.flush(zlib.Z_SYNC_FLUSH)
        decoded = decode(iter([chunk, b""]), "deflate")
        assert sum(map(len, decoded)) == size
