"""Faults that send too much. What is sent is made as it goes, so this server stays small."""

import asyncio
import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fakemodel.exchange import Exchange, send_pieces
from fakemodel.faults.malformed import STAND_IN

MEGABYTE = 1024 * 1024
DEFAULT_MB = 50

WORDS = "All work and no play makes a dull reply. "
BLOCK = (WORDS * 1600)[: 64 * 1024]
TOKEN = BLOCK[:4096]

GZIP = 31  # zlib's window bits for a gzip wrapper


def size(exchange: Exchange) -> int:
    """How many bytes of text the reply shall have."""
    asked = exchange.behaviour.mb
    return int((DEFAULT_MB if asked is None else asked) * MEGABYTE)


async def pour(exchange: Exchange, chunks: Iterable[bytes]) -> None:
    """Send chunks as fast as the caller reads, letting other calls have their turn."""
    for chunk in chunks:
        await exchange.line.write(chunk)
        await asyncio.sleep(0)


def around_text(exchange: Exchange) -> tuple[bytes, bytes]:
    """What stands before and after the text in the body of a reply of one token."""
    one = replace(exchange, reply=replace(exchange.reply, tokens=(STAND_IN,)))
    before, _, after = one.body(one.render()).partition(STAND_IN.encode())
    return before, after.replace(STAND_IN.encode(), b"")


def padded(before: bytes, after: bytes, length: int) -> Iterator[bytes]:
    """`before`, text of `length` bytes, `after`."""
    block = BLOCK.encode()
    yield before
    for _ in range(length // len(block)):
        yield block
    yield block[: length % len(block)] + after


async def long_line(exchange: Exchange) -> None:
    """A huge text in one piece: one event, or one JSON string."""
    before, after = around_text(exchange)
    length = size(exchange)
    total = None if exchange.call.stream else len(before) + length + len(after)
    await exchange.line.start(200, exchange.render().content_type, length=total)
    await pour(exchange, padded(before, after, length))
    await exchange.line.end()


async def huge(exchange: Exchange) -> None:
    """A huge text in good order: thousands of events, or one JSON string."""
    if not exchange.call.stream:
        await long_line(exchange)
        return
    rendering = exchange.render()
    await exchange.line.start(200, rendering.content_type)
    await exchange.line.write(rendering.head)
    tokens = range(size(exchange) // len(TOKEN))
    await pour(exchange, (rendering.piece(index, TOKEN) for index in tokens))
    await exchange.line.end(rendering.tail + rendering.end)


async def endless(exchange: Exchange) -> None:
    """Words without end: at the rate asked for, or as fast as the caller reads."""
    rendering = exchange.render()
    await exchange.line.start(200, rendering.content_type)
    await exchange.line.write(rendering.head)
    if exchange.behaviour.rate and exchange.call.stream:
        await send_pieces(exchange, (rendering.piece(n, WORDS) for n in itertools.count()))
    await pour(exchange, (rendering.piece(n, TOKEN) for n in itertools.count()))


async def gzip_bomb(exchange: Exchange) -> None:
    """A huge text that compresses to nearly nothing, sent compressed without being asked."""
    coding = (b"content-encoding", b"gzip")
    await exchange.line.start(200, exchange.render().content_type, headers=(coding,))
    before, after = around_text(exchange)
    await pour(exchange, compressed(padded(before, after, size(exchange))))
    await exchange.line.end()


def compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as one gzip file, in parts."""
    packer = zlib.compressobj(level=9, wbits=GZIP)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()
