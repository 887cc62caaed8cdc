"""Not faults, but what a client seldom meets: unusual ways to send a reply that is right."""

import orjson

from fakemodel.exchange import Exchange, send_body
from fakemodel.faults.malformed import send

# Coprime to the length of UTF-8 sequences and small enough to split every event.
SPLIT_BYTES = 7
BETWEEN_SPLITS = 0.001  # seconds; enough for each part to travel alone


async def unknown_fields(exchange: Exchange) -> None:
    """The reply among fields and events that no client asked for."""
    await send_body(exchange, exchange.render(odd=True))


async def odd_sse(exchange: Exchange) -> None:
    """Events with comments, ids, CRLF and data over two lines; not streamed, indented JSON."""
    body = exchange.body(exchange.render())
    if not exchange.call.stream:
        await send(
            exchange, b"\n\t " + orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
        )
        return
    events = [odd_event(number, event) for number, event in enumerate(body.split(b"\n\n")) if event]
    await send(exchange, b"\xef\xbb\xbf: welcome\r\n\r\nretry: 3000\r\n\r\n" + b"".join(events))


def odd_event(number: int, event: bytes) -> bytes:
    """`event`, legal still, but as few servers write it."""
    json = event.partition(b":")[2].lstrip()
    lines = b"data:{\r\ndata: %b" % json[1:] if json.startswith(b"{") else b"data:%b" % json
    return b": ping\r\nevent: message\r\nid: %d\r\n%b\r\n\r\n" % (number, lines)


async def split(exchange: Exchange) -> None:
    """The reply in parts of seven bytes, which break events and characters anywhere."""
    rendering = exchange.render()
    body = exchange.body(rendering)
    length = None if exchange.call.stream else len(body)
    await exchange.line.start(200, rendering.content_type, length=length)
    for place in range(0, len(body), SPLIT_BYTES):
        await exchange.line.write(body[place : place + SPLIT_BYTES])
        await exchange.line.pause(BETWEEN_SPLITS)
    await exchange.line.end()


async def until_close(exchange: Exchange) -> None:
    """The reply without length or chunks: it ends where the connection does."""
    rendering, line = exchange.render(), exchange.line
    line.begin_raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n" % rendering.content_type
    )
    line.raw(rendering.head)
    gap = 1 / exchange.behaviour.rate if exchange.behaviour.rate and exchange.call.stream else 0.0
    for piece in exchange.pieces(rendering):
        line.raw(piece)
        await line.pause_if(exchange.vary(gap))
    line.raw(rendering.tail + rendering.end)
    await line.cut()
