"""Faults whose bytes cannot be read, or say that they are something else."""

from dataclasses import replace

from fakemodel.exchange import Exchange

# Stands among the tokens while the reply is rendered, then gives way to what cannot be rendered.
STAND_IN = "fakemodelplaceholder"

NOT_UTF8 = b"\xc3\x28\xff\xfe"
LONE_SURROGATE = rb"\ud83d"
BROKEN_EVENT = b'data: {"id":"broken","choices":[{"index":0,"delta":{"content":"lo\n\n'


def with_stand_in(exchange: Exchange) -> bytes:
    """The body of the reply with the stand-in as one more token in its midst."""
    tokens, kept = exchange.reply.tokens, exchange.kept
    reply = replace(exchange.reply, tokens=(*tokens[:kept], STAND_IN, *tokens[kept:]))
    marked = replace(exchange, reply=reply)
    return marked.body(marked.render())


async def send(exchange: Exchange, body: bytes, content_type: bytes | None = None) -> None:
    """Send `body` where the reply should be, streamed if the caller asked for a stream."""
    stated = content_type or exchange.render().content_type
    if not exchange.call.stream:
        await exchange.line.respond(200, stated, body)
        return
    await exchange.line.start(200, stated)
    await exchange.line.end(body)


async def broken(exchange: Exchange) -> None:
    """One event that is no JSON amid good ones; not streamed, JSON that ends half-way."""
    rendering = exchange.render()
    if not exchange.call.stream:
        whole = exchange.body(rendering)
        await send(exchange, whole[: len(whole) // 2])
        return
    pieces = list(exchange.pieces(rendering))
    pieces.insert(exchange.kept, BROKEN_EVENT)
    await send(exchange, b"".join((rendering.head, *pieces, rendering.tail, rendering.end)))


async def bad_utf8(exchange: Exchange) -> None:
    """A reply in whose midst stand bytes that are no UTF-8."""
    await send(exchange, with_stand_in(exchange).replace(STAND_IN.encode(), NOT_UTF8))


async def surrogate(exchange: Exchange) -> None:
    """A reply in whose midst stands half of a surrogate pair, as a JSON escape."""
    await send(exchange, with_stand_in(exchange).replace(STAND_IN.encode(), LONE_SURROGATE))


async def blank(exchange: Exchange) -> None:
    """Status 200, the right content type, and no body at all."""
    await send(exchange, b"")


async def wrong_type(exchange: Exchange) -> None:
    """The right body under a content type that it does not have."""
    await send(exchange, exchange.body(exchange.render()), b"text/plain; charset=iso-8859-1")
