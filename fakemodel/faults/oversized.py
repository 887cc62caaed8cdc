"""Faults that send too much; the text is generated in parts, so the server needs little memory."""

import asyncio
import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fakemodel.exchange import Exchange, send_paced
from fakemodel.faults.malformed import PLACEHOLDER
from fakemodel.replies.samples import LOREM

MEGABYTE = 1024 * 1024
DEFAULT_MB = 50

SENTENCE = f"{LOREM} "
BLOCK = (SENTENCE * 600)[: 64 * 1024]
TOKEN = BLOCK[:4096]

GZIP = 31  # zlib's window bits for a gzip header


def _text_size(exchange: Exchange) -> int:
    """Return the size of the reply's text in bytes."""
    mb = exchange.behaviour.mb
    return int((DEFAULT_MB if mb is None else mb) * MEGABYTE)


async def _send_chunks(exchange: Exchange, chunks: Iterable[bytes]) -> None:
    """Send chunks as fast as the client reads; other calls proceed between them."""
    for chunk in chunks:
        await exchange.connection.write(chunk)
        await asyncio.sleep(0)


def _around_text(exchange: Exchange) -> tuple[bytes, bytes]:
    """Return the bytes before and after the text, in the body of a reply with one token."""
    one = replace(exchange, reply=replace(exchange.reply, tokens=(PLACEHOLDER,)))
    before, _, after = one.encode_body(one.render()).partition(PLACEHOLDER.encode())
    return before, after.replace(PLACEHOLDER.encode(), b"")


def _with_text(before: bytes, after: bytes, length: int) -> Iterator[bytes]:
    """Yield `before`, then `length` bytes of text, then `after`."""
    block = BLOCK.encode()
    yield before
    for _ in range(length // len(block)):
        yield block
    yield block[: length % len(block)] + after


async def long_line(exchange: Exchange) -> None:
    """A huge text in a single event or JSON string."""
    before, after = _around_text(exchange)
    size = _text_size(exchange)
    length = None if exchange.call.stream else len(before) + size + len(after)
    await exchange.connection.start(200, exchange.render().content_type, length=length)
    await _send_chunks(exchange, _with_text(before, after, size))
    await exchange.connection.end()


async def huge(exchange: Exchange) -> None:
    """A huge text in thousands of events; without `stream`, in one JSON string."""
    if not exchange.call.stream:
        await long_line(exchange)
        return
    rendering = exchange.render()
    await exchange.connection.start(200, rendering.content_type)
    await exchange.connection.write(rendering.head)
    count = _text_size(exchange) // len(TOKEN)
    await _send_chunks(exchange, (rendering.encode_token(n, TOKEN) for n in range(count)))
    await exchange.connection.end(rendering.tail + rendering.terminator)


async def endless(exchange: Exchange) -> None:
    """Text that never ends: at the rate of the behaviour, or as fast as the client reads."""
    rendering = exchange.render()
    await exchange.connection.start(200, rendering.content_type)
    await exchange.connection.write(rendering.head)
    if exchange.behaviour.rate and exchange.call.stream:
        await send_paced(exchange, (rendering.encode_token(n, SENTENCE) for n in itertools.count()))
    await _send_chunks(exchange, (rendering.encode_token(n, TOKEN) for n in itertools.count()))


async def gzip_bomb(exchange: Exchange) -> None:
    """A huge text, compressed even if the client does not accept gzip."""
    coding = (b"content-encoding", b"gzip")
    await exchange.connection.start(200, exchange.render().content_type, headers=(coding,))
    before, after = _around_text(exchange)
    await _send_chunks(exchange, _compress(_with_text(before, after, _text_size(exchange))))
    await exchange.connection.end()


def _compress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(level=9, wbits=GZIP)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()
