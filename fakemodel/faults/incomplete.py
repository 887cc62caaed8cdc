"""Faults that break the reply off, or never begin it."""

from fakemodel.errors import Refused
from fakemodel.exchange import Exchange, send_pieces
from fakemodel.formats.sse import Rendering

FAILED = "The server had an error while generating the reply."
# A reset overtakes what still waits to be sent.
BEFORE_RESET = 0.05  # seconds


async def hang(exchange: Exchange) -> None:
    """Not a byte, ever."""
    await exchange.line.pause(None)


async def refuse(exchange: Exchange) -> None:
    """The connection is closed without a byte."""
    await exchange.line.cut()


async def begin(exchange: Exchange) -> Rendering:
    """Headers that promise the whole reply, and the part of it before the fault."""
    rendering = exchange.render()
    length = None if exchange.call.stream else len(exchange.body(rendering))
    await exchange.line.start(200, rendering.content_type, length=length)
    if exchange.kept:
        await exchange.line.write(rendering.head)
        await send_pieces(exchange, exchange.pieces(rendering, exchange.kept))
    return rendering


async def stall(exchange: Exchange) -> None:
    """A beginning, then nothing more; with `after=0` only the headers."""
    await begin(exchange)
    await exchange.line.pause(None)


async def cut(exchange: Exchange) -> None:
    """A beginning, then the connection is closed."""
    await begin(exchange)
    await exchange.line.cut()


async def reset(exchange: Exchange) -> None:
    """A beginning, then the connection is reset."""
    await begin(exchange)
    await exchange.line.pause(BEFORE_RESET)
    await exchange.line.reset()


async def drip(exchange: Exchange) -> None:
    """The whole reply, a byte at a time."""
    rendering = exchange.render()
    body = exchange.body(rendering)
    length = None if exchange.call.stream else len(body)
    await exchange.line.start(200, rendering.content_type, length=length)
    gap = 1 / (exchange.behaviour.byte_rate or 1.0)
    for place in range(len(body)):
        await exchange.line.pause(gap)
        await exchange.line.write(body[place : place + 1])
    await exchange.line.end()


async def no_end(exchange: Exchange) -> None:
    """All tokens (or `after` of them), then a well-formed end of HTTP but none of the reply."""
    rendering = exchange.render()
    pieces = exchange.pieces(rendering, exchange.behaviour.after)
    body = rendering.head + b"".join(pieces)
    if not exchange.call.stream:
        await exchange.line.respond(200, rendering.content_type, body)
        return
    await exchange.line.start(200, rendering.content_type)
    await exchange.line.end(body)


async def no_done(exchange: Exchange) -> None:
    """The whole reply with its finish reason, but without the marker `[DONE]`."""
    rendering = exchange.render()
    body = exchange.body(rendering).removesuffix(rendering.end)
    await exchange.line.start(200, rendering.content_type)
    await exchange.line.end(body)


async def error_event(exchange: Exchange) -> None:
    """A beginning, then an error object; not streamed, an error object with status 200."""
    if exchange.call.stream:
        await begin(exchange)
        await exchange.line.end(exchange.format.error_event(FAILED))
        return
    body = exchange.format.error(Refused(500, FAILED))
    await exchange.line.respond(200, b"application/json", body)
