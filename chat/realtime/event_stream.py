"""Server-Sent Events (WHATWG HTML, "Server-sent events")."""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.http import StreamingHttpResponse

from chat.api.responses import API_POLICY
from chat.domain import Caller
from chat.domain.errors import ParleyError
from chat.realtime import session_events
from chat.realtime.close_codes import Abort
from chat.realtime.event_json import serialize_events
from chat.settings import chat_settings

# How every event begins.
TYPE = b'{"type":"'
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-transform",
    # nginx would gather what is sent.
    "X-Accel-Buffering": "no",
    "Content-Security-Policy": API_POLICY,
    "Referrer-Policy": "no-referrer",
    # Its client can be hung up on, and nobody else's answer is lost.
    "Connection": "close",
}
HEARTBEAT = b":\n\n"
# Milliseconds after which a client whose stream has ended asks again: not all at once.
RETRY = (1000, 3000)


class EventStream(StreamingHttpResponse):
    """An event stream that begins after the cursor, and follows no longer than it is sent.

    Django wraps what it streams in generators of its own, and leaves the inner ones to the garbage
    collector when sending breaks off; until then a client who is gone would be followed for.
    """

    def __init__(self, told: AsyncGenerator[bytes]) -> None:
        super().__init__(headers=HEADERS)
        self.is_async = True
        self._told = told

    @classmethod
    async def open(cls, caller: Caller, after: int, hang_up: Abort) -> "EventStream":
        """Return the stream, which follows from now on: there is room for it.

        Raises:
            RateLimited: there is none.
        """
        told = _stream(caller, after, hang_up)
        await anext(told)
        return cls(told)

    def __aiter__(self) -> AsyncGenerator[bytes]:
        """Return what is streamed; whoever sends it closes it."""
        return self._told


async def _stream(caller: Caller, after: int, hang_up: Abort) -> AsyncGenerator[bytes]:
    """Yield nothing once it follows, and then an event stream.

    It ends when the session, the client's patience or this process does; then it may be resumed.
    """
    with session_events.subscribe(caller, after=after, hang_up=hang_up) as follower:
        yield b""
        yield b"retry: %d\n\n" % random.randint(*RETRY)  # noqa: S311  # no secret hangs on it
        events = session_events.events(
            follower, after=after, silence=chat_settings.SSE_HEARTBEAT_INTERVAL
        )
        try:
            async with aclosing(events):
                async for found in events:
                    yield (
                        HEARTBEAT
                        if found is None
                        else b"".join(format_event(*each) for each in serialize_events(found))
                    )
        except ParleyError:
            return  # the answer to the next try says why


def format_event(seq: int, event: bytes) -> bytes:
    """Return one event; JSON as it is stored holds no line ends."""
    kind = event[len(TYPE) : event.index(b'"', len(TYPE))]
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, kind, event)
