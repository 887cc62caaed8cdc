"""Faults that put something else in place of the reply."""

import time
from email.utils import formatdate

from fakemodel.behaviour import Behaviour
from fakemodel.connection import Headers
from fakemodel.errors import Refused
from fakemodel.exchange import Exchange, answer_well

PAGE = b"""<!doctype html>
<html><head><title>Just a moment...</title></head>
<body><h1>502 Bad Gateway</h1><hr><center>nginx</center></body></html>
"""
LOADING = "Model {model} is currently loading"
OTHER = "The request was refused."
MESSAGES = {
    401: "Incorrect API key provided.",
    404: "The model '{model}' does not exist or you do not have access to it.",
    429: "Rate limit reached for {model}.",
    500: "The server had an error while processing your request.",
    503: "The engine is currently overloaded, please try again later.",
}


async def status(exchange: Exchange) -> None:
    """An HTTP error in the format's own shape, or a wait for the model if the caller wants it."""
    asked = exchange.behaviour
    if asked.estimated_time is not None and exchange.call.wait_for_model:
        await exchange.line.pause(asked.estimated_time)
        await answer_well(exchange)
        return
    number = asked.status or 500
    message = LOADING if asked.estimated_time is not None else MESSAGES.get(number, OTHER)
    raise Refused(
        number,
        message.format(model=exchange.call.model),
        code=asked.code,
        estimated_time=asked.estimated_time,
        headers=retry_headers(asked),
    )


def retry_headers(asked: Behaviour) -> Headers:
    """Retry-After in seconds, or as a date, or none at all."""
    if asked.retry_date is not None:
        date = formatdate(time.time() + asked.retry_date, usegmt=True)
        return ((b"retry-after", date.encode()),)
    if asked.retry_after is not None:
        return ((b"retry-after", f"{asked.retry_after:g}".encode()),)
    return ()


async def html(exchange: Exchange) -> None:
    """A gateway's page with status 200."""
    await exchange.line.respond(200, b"text/html; charset=utf-8", PAGE)


async def redirect(exchange: Exchange) -> None:
    """A 307 to the same path: who follows it is seen in the record to call again."""
    target = (b"location", exchange.line.entry.path.encode() + b"?redirected=1")
    await exchange.line.respond(307, b"text/plain", b"", headers=(target,))


async def not_http(exchange: Exchange) -> None:
    """Bytes that are no HTTP, then the connection is closed."""
    exchange.line.raw(b"\x15\x03\x01\x00\x02\x02\x50 this is not HTTP\r\n\r\n")
    await exchange.line.cut()
