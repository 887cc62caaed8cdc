"""Faults that send something else instead of the reply."""

import time
from email.utils import formatdate

from fakemodel.behaviour import Behaviour
from fakemodel.errors import APIError, Headers
from fakemodel.exchange import Exchange, send_reply
from fakemodel.formats.sse import EVENT_STREAM

GATEWAY_PAGE = b"""<!doctype html>
<html><head><title>Just a moment...</title></head>
<body><h1>502 Bad Gateway</h1><hr><center>nginx</center></body></html>
"""
LOADING = "Model {model} is currently loading"
OTHER = "The request failed."


async def status(exchange: Exchange) -> None:
    """An HTTP error; a loading model is waited for if the call has `wait_for_model`."""
    behaviour = exchange.behaviour
    if behaviour.estimated_time is not None and exchange.call.wait_for_model:
        await exchange.connection.sleep(behaviour.estimated_time)
        await send_reply(exchange)
        return
    number = behaviour.status or 500
    messages = exchange.format.messages
    message = messages.get(number, OTHER) if behaviour.estimated_time is None else LOADING
    if behaviour.retry_after is not None:
        message += exchange.format.retry_message
    raise APIError(
        number,
        message.format(model=exchange.call.model, delay=behaviour.retry_after),
        code=behaviour.code,
        estimated_time=behaviour.estimated_time,
        retry_after=behaviour.retry_after,
        headers=_retry_after_date(behaviour),
    )


def _retry_after_date(behaviour: Behaviour) -> Headers:
    if behaviour.retry_after_date is None:
        return ()
    date = formatdate(time.time() + behaviour.retry_after_date, usegmt=True)
    return ((b"retry-after", date.encode()),)


async def too_long(exchange: Exchange) -> None:
    """The error for a prompt that is longer than the model's context."""
    error = exchange.format.too_long.error()
    if not (exchange.call.stream and exchange.format.streams_too_long):
        raise error
    event = exchange.format.encode_error_event(error.message)
    await exchange.connection.start(200, EVENT_STREAM)
    await exchange.connection.end(event)


async def html(exchange: Exchange) -> None:
    """The error page of a gateway, with status 200."""
    await exchange.connection.respond(200, b"text/html; charset=utf-8", GATEWAY_PAGE)


async def redirect(exchange: Exchange) -> None:
    """A 307 to the same path; a client that follows it is recorded as a second call."""
    target = (b"location", exchange.connection.record.path.encode() + b"?redirected=1")
    await exchange.connection.respond(307, b"text/plain", b"", headers=(target,))


async def not_http(exchange: Exchange) -> None:
    """Bytes that are not HTTP, then the connection is closed."""
    exchange.connection.write_raw(b"\x15\x03\x01\x00\x02\x02\x50 this is not HTTP\r\n\r\n")
    await exchange.connection.close()
