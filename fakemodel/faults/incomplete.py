"""Faults that send the response incompletely, slowly, or not at all."""

from fakemodel.errors import APIError
from fakemodel.exchange import Exchange, send_paced

ERROR_MESSAGE = "The server had an error while generating the reply."
# Without a delay the reset would overtake the tokens that are still to be sent.
RESET_DELAY = 0.05  # seconds


async def hang(exchange: Exchange) -> None:
    """No response."""
    await exchange.connection.wait_until_disconnected()


async def disconnect(exchange: Exchange) -> None:
    """The connection is closed without a response."""
    await exchange.connection.close()


async def _send_beginning(exchange: Exchange) -> None:
    """Send the headers of the complete reply, and the tokens before the fault."""
    rendering = exchange.render()
    length = None if exchange.call.stream else len(exchange.encode_body(rendering))
    await exchange.connection.start(200, rendering.content_type, length=length)
    if count := exchange.tokens_before_fault:
        await exchange.connection.write(rendering.head)
        await send_paced(exchange, exchange.encode_tokens(rendering, count))


async def stall(exchange: Exchange) -> None:
    """The first tokens, then nothing; with `after=0` only the headers."""
    await _send_beginning(exchange)
    await exchange.connection.wait_until_disconnected()


async def cut(exchange: Exchange) -> None:
    """The first tokens, then the connection is closed."""
    await _send_beginning(exchange)
    await exchange.connection.close()


async def reset(exchange: Exchange) -> None:
    """The first tokens, then a TCP reset."""
    await _send_beginning(exchange)
    await exchange.connection.sleep(RESET_DELAY)
    await exchange.connection.reset()


async def drip(exchange: Exchange) -> None:
    """The complete reply, one byte at a time."""
    rendering = exchange.render()
    body = exchange.encode_body(rendering)
    length = None if exchange.call.stream else len(body)
    await exchange.connection.start(200, rendering.content_type, length=length)
    interval = 1 / (exchange.behaviour.byte_rate or 1.0)
    for index in range(len(body)):
        await exchange.connection.sleep(interval)
        await exchange.connection.write(body[index : index + 1])
    await exchange.connection.end()


async def no_finish_reason(exchange: Exchange) -> None:
    """All tokens (or `after` of them) in a valid HTTP response, but no end of the reply."""
    rendering = exchange.render()
    tokens = exchange.encode_tokens(rendering, exchange.behaviour.after)
    body = rendering.head + b"".join(tokens)
    if not exchange.call.stream:
        await exchange.connection.respond(200, rendering.content_type, body)
        return
    await exchange.connection.start(200, rendering.content_type)
    await exchange.connection.end(body)


async def no_done(exchange: Exchange) -> None:
    """The complete reply with its finish reason, but without `[DONE]`."""
    rendering = exchange.render()
    body = exchange.encode_body(rendering).removesuffix(rendering.terminator)
    await exchange.connection.start(200, rendering.content_type)
    await exchange.connection.end(body)


async def error_event(exchange: Exchange) -> None:
    """The first tokens, then an error event; in JSON, an error object with status 200."""
    if exchange.call.stream:
        await _send_beginning(exchange)
        await exchange.connection.end(exchange.format.encode_error_event(ERROR_MESSAGE))
        return
    error = exchange.format.encode_error(APIError(500, ERROR_MESSAGE))
    await exchange.connection.respond(200, error.content_type, error.body)
