"""Correct replies in unusual but valid forms."""

import orjson

from fakemodel.exchange import Exchange, send_rendering
from fakemodel.faults.malformed import send_body

# Coprime to the lengths of UTF-8 sequences and small enough to split every event.
SPLIT_BYTES = 7
SPLIT_INTERVAL = 0.001  # seconds; enough for each part to become a separate TCP segment


async def unknown_fields(exchange: Exchange) -> None:
    """The reply with fields and events that clients do not know."""
    await send_rendering(exchange, exchange.render(unknown_fields=True))


async def unusual_sse(exchange: Exchange) -> None:
    """Events with BOM, comments, ids, CRLF and data over two lines; otherwise indented JSON."""
    body = exchange.encode_body(exchange.render())
    if not exchange.call.stream:
        indented = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
        await send_body(exchange, b"\n\t " + indented)
        return
    events = [_unusual_event(n, event) for n, event in enumerate(body.split(b"\n\n")) if event]
    start = b"\xef\xbb\xbf: welcome\r\n\r\nretry: 3000\r\n\r\n"
    await send_body(exchange, start + b"".join(events))


def _unusual_event(number: int, event: bytes) -> bytes:
    json = event.partition(b":")[2].lstrip()
    lines = b"data:{\r\ndata: %b" % json[1:] if json.startswith(b"{") else b"data:%b" % json
    return b": ping\r\nevent: message\r\nid: %d\r\n%b\r\n\r\n" % (number, lines)


async def split(exchange: Exchange) -> None:
    """The reply in parts of seven bytes, which split events and characters."""
    rendering = exchange.render()
    body = exchange.encode_body(rendering)
    length = None if exchange.call.stream else len(body)
    await exchange.connection.start(200, rendering.content_type, length=length)
    for index in range(0, len(body), SPLIT_BYTES):
        await exchange.connection.write(body[index : index + SPLIT_BYTES])
        await exchange.connection.sleep(SPLIT_INTERVAL)
    await exchange.connection.end()


async def close_delimited(exchange: Exchange) -> None:
    """The reply without Content-Length or chunks; closing the connection ends it."""
    rendering, connection = exchange.render(), exchange.connection
    connection.start_raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n" % rendering.content_type
    )
    connection.write_raw(rendering.head)
    rate = exchange.behaviour.rate if exchange.call.stream else 0
    for token in exchange.encode_tokens(rendering):
        connection.write_raw(token)
        await connection.sleep(exchange.with_jitter(1 / rate if rate else 0.0))
    connection.write_raw(rendering.tail + rendering.terminator)
    await connection.close()
