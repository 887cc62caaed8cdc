"""Faults whose bytes cannot be decoded, or have the wrong content type."""

from dataclasses import replace

from fakemodel.exchange import Exchange

# A token that is rendered with the reply, then replaced by bytes that no renderer produces.
PLACEHOLDER = "fakemodelplaceholder"

NOT_UTF8 = b"\xc3\x28\xff\xfe"
LONE_SURROGATE = rb"\ud83d"
INVALID_EVENT = b'data: {"id":"invalid","choices":[{"index":0,"delta":{"content":"lo\n\n'


def _body_with_placeholder(exchange: Exchange) -> bytes:
    """Return the body of the reply, with the placeholder among its tokens."""
    tokens, count = exchange.reply.tokens, exchange.tokens_before_fault
    reply = replace(exchange.reply, tokens=(*tokens[:count], PLACEHOLDER, *tokens[count:]))
    changed = replace(exchange, reply=reply)
    return changed.encode_body(changed.render())


async def send_body(exchange: Exchange, body: bytes, content_type: bytes | None = None) -> None:
    """Send `body` instead of the reply, chunked if the call has `stream`."""
    content_type = content_type or exchange.render().content_type
    if not exchange.call.stream:
        await exchange.connection.respond(200, content_type, body)
        return
    await exchange.connection.start(200, content_type)
    await exchange.connection.end(body)


async def invalid_json(exchange: Exchange) -> None:
    """A stream in which one event is invalid JSON; without `stream`, half of the JSON."""
    rendering = exchange.render()
    if not exchange.call.stream:
        body = exchange.encode_body(rendering)
        await send_body(exchange, body[: len(body) // 2])
        return
    events = list(exchange.encode_tokens(rendering))
    events.insert(exchange.tokens_before_fault, INVALID_EVENT)
    body = b"".join((rendering.head, *events, rendering.tail, rendering.terminator))
    await send_body(exchange, body)


async def invalid_utf8(exchange: Exchange) -> None:
    """A reply with bytes that are not UTF-8."""
    body = _body_with_placeholder(exchange)
    await send_body(exchange, body.replace(PLACEHOLDER.encode(), NOT_UTF8))


async def lone_surrogate(exchange: Exchange) -> None:
    """A reply with half of a surrogate pair, as a JSON escape."""
    body = _body_with_placeholder(exchange)
    await send_body(exchange, body.replace(PLACEHOLDER.encode(), LONE_SURROGATE))


async def empty_body(exchange: Exchange) -> None:
    """Status 200 and the correct content type, without a body."""
    await send_body(exchange, b"")


async def wrong_content_type(exchange: Exchange) -> None:
    """The correct body, as text/plain."""
    body = exchange.encode_body(exchange.render())
    await send_body(exchange, body, b"text/plain; charset=iso-8859-1")
