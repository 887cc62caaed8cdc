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

# The start of every event.
EVENT_START = b'{"type":"'
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-transform",
    # Otherwise nginx would buffer the stream.
    "X-Accel-Buffering": "no",
    "Content-Security-Policy": API_POLICY,
    "Referrer-Policy": "no-referrer",
    # An abort of the connection must not lose the response to a later request.
    "Connection": "close",
}
HEARTBEAT = b":\n\n"
# Milliseconds until a client reconnects; random, so that clients do not reconnect all at once.
RETRY_MS = (1000, 3000)


class EventStream(StreamingHttpResponse):
    """A response that streams events, and is subscribed only while it is sent.

    Django would wrap the content in its own generators, and leave the inner one to the garbage
    collector when the client disconnects. The subscription would last until then.
    """

    def __init__(self, content: AsyncGenerator[bytes]) -> None:
        super().__init__(headers=HEADERS)
        self.is_async = True
        self._content = content

    @classmethod
    async def open(cls, caller: Caller, after: int, abort: Abort) -> "EventStream":
        """Subscribe, and return the response.

        Raises:
            RateLimited: the session has too many subscribers.
        """
        content = _stream(caller, after, abort)
        await anext(content)
        return cls(content)

    def __aiter__(self) -> AsyncGenerator[bytes]:
        """Return the content. The server closes it."""
        return self._content


async def _stream(caller: Caller, after: int, abort: Abort) -> AsyncGenerator[bytes]:
    """Yield b"" once it is subscribed, and then the stream.

    The stream ends with the session, the process, or an error; the client may then reconnect.
    """
    with session_events.subscribe(caller, after=after, abort=abort) as subscriber:
        yield b""
        yield b"retry: %d\n\n" % random.randint(*RETRY_MS)  # noqa: S311  # not a secret
        events = session_events.events(
            subscriber, after=after, heartbeat_interval=chat_settings.SSE_HEARTBEAT_INTERVAL
        )
        try:
            async with aclosing(events):
                async for item in events:
                    yield (
                        HEARTBEAT
                        if item is None
                        else b"".join(format_event(*event) for event in serialize_events(item))
                    )
        except ParleyError:
            return  # the response to the next request reports the error


def format_event(seq: int, event: bytes) -> bytes:
    """Return an event as a block of the stream. Stored JSON contains no line breaks."""
    event_type = event[len(EVENT_START) : event.index(b'"', len(EVENT_START))]
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, event_type, event)
