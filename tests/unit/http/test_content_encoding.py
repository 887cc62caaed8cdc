import gzip
import zlib

import pytest

from chat.http.content_encoding import decode

TEXT = b"data: a\n\n" * 1000


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
