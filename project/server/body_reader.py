"""Reads the bodies of requests for sync and async views, and checks first how large they may be."""

import asyncio
import contextlib
from io import BytesIO
from typing import Protocol

from chat.accounts import client_ip
from chat.api import auth
from chat.api.parsers import BODY_ERROR
from chat.domain.errors import BodyTooLarge, ParleyError, Unavailable
from project.server.body import Environ, Receive, RequestBody
from project.server.fair_threads import FairThreads

# Bodies of this declared size need no check of who sends them.
UNCHECKED_BODY_BYTES = 8 * 1024


# Bodies that are too large and are read so that their clients see the response. Beyond, a client
# may find its connection reset instead.
MAX_LINGERING = 8


class BodyLimit(Protocol):
    """Returns the maximum size of a request's body.

    It is called if the body may have more than `UNCHECKED_BODY_BYTES`; in a thread, if the request
    has credentials.

    Raises:
        ParleyError: the response is this error, without the body being read.
    """

    def __call__(self, environ: Environ) -> int: ...


def has_body(environ: Environ) -> bool:
    return "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ


class BodyReader:
    """Reads bodies within limits of size and time."""

    def __init__(
        self, limit: BodyLimit, threads: FairThreads, *, max_bytes: int, timeout: float
    ) -> None:
        self._limit = limit
        # Where `limit` runs.
        self._threads = threads
        # Views reject a CONTENT_LENGTH beyond it.
        self._max_bytes = max_bytes
        # Seconds within which the whole body must arrive.
        self._timeout = timeout
        # Bodies that are read only to be dropped.
        self._lingering: set[RequestBody] = set()

    async def open(self, environ: Environ) -> RequestBody:
        """Return the body, unread; `release` it at the end."""
        max_bytes = await self._limit_of(environ)
        content_length = int(environ.get("CONTENT_LENGTH") or 0)
        return RequestBody(max_bytes, content_length, client_ip.client_address(environ))

    async def read(self, body: RequestBody, environ: Environ, receive: Receive) -> BytesIO:
        """Read the body before a view runs; return its content.

        A CONTENT_LENGTH beyond its bytes shows views that a body is too large or incomplete.
        """
        if not body.is_too_large:
            with contextlib.suppress(TimeoutError):
                await body.read(receive, self._timeout)
        elif "HTTP_EXPECT" not in environ and len(self._lingering) < MAX_LINGERING:
            self._lingering.add(body)
            try:
                with contextlib.suppress(TimeoutError):
                    await body.read(receive, self._timeout)
            finally:
                self._lingering.discard(body)
        length = body.received
        if body.is_too_large:
            error = BodyTooLarge(f"The request body must have at most {body.max_bytes} bytes.")
            environ.setdefault(BODY_ERROR, error)
            length = max(length, self._max_bytes + 1)
        elif body.is_dropped:
            environ[BODY_ERROR] = dropped()
            length = self._max_bytes + 1
        elif not body.is_complete:
            length += 1
        environ["CONTENT_LENGTH"] = str(max(body.content_length, length))
        return BytesIO(body.content)

    async def _limit_of(self, environ: Environ) -> int:
        """Return the limit of the request's body; 0 if the body is not needed for the response."""
        declared = int(environ.get("CONTENT_LENGTH") or UNCHECKED_BODY_BYTES + 1)
        if declared <= UNCHECKED_BODY_BYTES and "HTTP_TRANSFER_ENCODING" not in environ:
            return UNCHECKED_BODY_BYTES
        if declared > self._max_bytes:
            return self._max_bytes
        has_credentials = environ.get("HTTP_COOKIE") or auth.bearer_token(environ)
        try:
            if not has_credentials:  # it takes no I/O
                return self._limit(environ)
            loop = asyncio.get_running_loop()
            async with self._threads.slots(client_ip.client_address(environ)):
                return await loop.run_in_executor(self._threads.executor, self._limit, environ)
        except ParleyError as error:
            environ[BODY_ERROR] = error
            return 0


def dropped() -> ParleyError:
    """Return the error of a body that was dropped, because too much is buffered."""
    return Unavailable("Too many large requests are being received.", retry_after=5)
