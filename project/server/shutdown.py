"""Graceful shutdown of WebSockets, event streams and long polls."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from chat.realtime import session_events

SignalHandler = Callable[[int, FrameType | None], Any]


class GracefulShutdown:
    """ASGI middleware that closes all subscriptions on SIGTERM and SIGINT.

    A server waits for its open requests before it notifies the application, if it does so at all.
    This middleware therefore handles the signal before the server does. It installs its handlers at
    the first request, because the server has installed its own by then. Clients reconnect to
    another process, or to the next one.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.has_installed_handlers = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.has_installed_handlers:
            self.has_installed_handlers = True
            install_handlers(asyncio.get_running_loop())
        await self.application(scope, receive, send)


def install_handlers(loop: asyncio.AbstractEventLoop) -> None:
    """Wrap the existing handlers of SIGTERM and SIGINT; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(handler := signal.getsignal(number)):
            signal.signal(number, _close_before(handler, loop))


def _close_before(handler: SignalHandler, loop: asyncio.AbstractEventLoop) -> SignalHandler:
    def close(number: int, frame: FrameType | None) -> Any:
        loop.call_soon_threadsafe(session_events.close_all)
        return handler(number, frame)

    return close
