"""Server-Sent Events (WHATWG HTML, "Server-sent events")."""

import random
from collections.abc import AsyncIterator
from contextlib import aclosing

from chat.conf import knobs
from chat.domain import Caller
from chat.errors import ParleyError
from chat.push.told import told
from chat.services import streams

TYPE = b'{"type":"'
"""How every event begins."""
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-transform",
    # nginx would gather what is sent.
    "X-Accel-Buffering": "no",
}
BEAT = b":\n\n"
RETRY = (1000, 3000)
"""Milliseconds after which a client whose stream has ended asks again: not all at once."""


async def stream(caller: Caller, after: int) -> AsyncIterator[bytes]:
    """Yield an event stream that begins after the cursor.

    It ends when the session, the client's patience or this process does; then it may be resumed.
    """
    yield b"retry: %d\n\n" % random.randint(*RETRY)  # noqa: S311  # no secret hangs on it
    try:
        async with aclosing(
            streams.events(caller, after=after, silence=knobs.SSE_HEARTBEAT)
        ) as events:
            async for found in events:
                yield BEAT if found is None else b"".join(shape(*each) for each in told(found))
    except ParleyError:
        return  # the answer to the next try says why


def shape(seq: int, event: bytes) -> bytes:
    """Return one event; JSON as it is stored holds no line ends."""
    kind = event[len(TYPE) : event.index(b'"', len(TYPE))]
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, kind, event)
