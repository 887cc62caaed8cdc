"""Ending what is followed when the process is told to end."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from chat.realtime import session_events


class Ending:
    """Passes everything on; at SIGTERM it lets sockets, event streams and long-polls end in order.

    A server waits for its open requests first and tells the application, if at all, afterwards. So
    this hears the signal itself and hands it on to the server, whose handlers stand by the time of
    the first request. Clients then come back to another process, or to the next one.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.is_listening = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a connection on."""
        if not self.is_listening:
            self.is_listening = True
            listen(asyncio.get_running_loop())
        await self.application(scope, receive, send)


def listen(loop: asyncio.AbstractEventLoop) -> None:
    """Put ourselves before the handlers of the signals that end a process, where there are any."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(handler := signal.getsignal(number)):
            signal.signal(number, before(handler, loop))


def before(
    handler: Callable[[int, FrameType | None], Any], loop: asyncio.AbstractEventLoop
) -> Callable[[int, FrameType | None], Any]:
    """Return a handler that ends what is followed, then does what `handler` does."""

    def end(number: int, frame: FrameType | None) -> Any:
        loop.call_soon_threadsafe(session_events.close)
        return handler(number, frame)

    return end
