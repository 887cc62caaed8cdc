"""Delays the errors of addresses that keep sending requests although they are refused.

A program that repeats a request as soon as it was refused would get thousands of errors per second,
each of which costs other clients a part of a millisecond. Waiting costs nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from chat.accounts import client_ip, read_limits
from chat.api.exception_handler import error_response_without_request
from chat.domain.errors import ParleyError, RateLimited
from project.server.body import Receive, Scope, Send

# Seconds that an error waits, as its Retry-After says.
DELAY = 1.0
# Errors of one address that wait. Its further connections are closed. Requests that come from a
# proxy get their error at once: the connection is not the client's.
MAX_DELAYED_PER_ADDRESS = 8
# Errors of all addresses that wait; each holds up to `MAX_DRAINED_BYTES` twice.
MAX_DELAYED = 512
# Bytes of a body that are read while its error waits. A client whose connection is closed while it
# is still sending might not see the response.
MAX_DRAINED_BYTES = 64 * 1024

_waiting: Counter[str] = Counter()


def refusal(address: str) -> RateLimited | None:
    """Return the error if too many requests of the address were rejected."""
    try:
        read_limits.check_rejected(address)
    except RateLimited as error:
        return error
    return None


def is_flooding(transport: asyncio.Transport) -> bool:
    """Return whether a new connection would only get another error, and is not a proxy's."""
    if not _waiting:
        return False
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return False
    address = client_ip.client_address({"REMOTE_ADDR": peer[0]})
    is_refused = _is_full(address) and refusal(address) is not None
    return is_refused and not client_ip.is_trusted(peer[0])


def _is_full(address: str) -> bool:
    """Return whether the maximum number of errors of the address wait."""
    return _waiting[address] >= MAX_DELAYED_PER_ADDRESS or _waiting.total() >= MAX_DELAYED


class DelayedError:
    """An ASGI application that sends an error after `DELAY`.

    abort: closes the connection; `None` if it is that of a proxy.
    """

    def __init__(
        self, error: ParleyError, address: str, abort: Callable[[], object] | None
    ) -> None:
        self._error = error
        self._address = address
        self._abort = abort

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_full(self._address):
            await self._wait(receive)
        elif self._abort is not None:
            self._abort()
            while (await receive())["type"] == "http.request":
                pass
            return
        await send_error(self._error, scope, receive, send)

    async def _wait(self, receive: Receive) -> None:
        _waiting[self._address] += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(DELAY):
                    await _drain(receive)
                    await asyncio.sleep(DELAY)
        finally:
            _waiting[self._address] -= 1
            if not _waiting[self._address]:
                del _waiting[self._address]


async def _drain(receive: Receive) -> None:
    """Read the body, and wait until the client disconnects, but read no more than is allowed."""
    received = 0
    while received <= MAX_DRAINED_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return
        received += len(message.get("body", b""))


async def send_error(error: ParleyError, _scope: Scope, _receive: Receive, send: Send) -> None:
    """Send an error response; an ASGI application."""
    response = error_response_without_request(error)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
