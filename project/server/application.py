"""The ASGI application of a web process, which routes each request to its cheapest handler.

* WebSockets go to Channels.
* Small messages, polls, long polls, event streams and health checks go to Django's async views.
  They take no thread, and share one connection to Redis.
* The OpenAI-compatible API and that of the AI SDK go to async views as well: their calls wait for
  replies.
* Static files are read from disk.
* All other requests go to Django's sync views on a few threads. These serve two to three times as
  many requests per second as Django's ASGI handler (docs/adr/0011-asgi-routing.md). Only the admin
  uses a database.
"""

import re
from functools import partial
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from chat.api import probes
from chat.settings import chat_settings
from project.server.async_handler import AsyncHandler, CancellableAsyncHandler
from project.server.body import Receive, Scope, Send
from project.server.body_limits import admin_body_limit, api_body_limit, protocol_body_limit
from project.server.body_reader import UNCHECKED_BODY_BYTES, BodyReader
from project.server.fair_threads import FairThreads
from project.server.shutdown import GracefulShutdown
from project.server.static_files import StaticFiles
from project.server.url_prefix import URLPrefix
from project.server.wsgi_adapter import WSGIAdapter, with_request_signals, without_request_signals
from project.websocket_urls import urlpatterns as websocket_urlpatterns

# A poll, or a long poll with `wait=`.
SESSION_PATH = re.compile(r"/sessions/[^/]+")
MESSAGES_PATH = re.compile(r"(/sessions/[^/]+)?/messages")
EVENT_STREAM_PATH = re.compile(r"/sessions/[^/]+/events")
# A GET with a body goes to the sync views, which read the body or reject it.
BODY_HEADERS = {b"content-length", b"transfer-encoding"}


class PathRouter:
    """Passes an HTTP request to the handler for its path."""

    def __init__(self) -> None:
        self.cancellable = CancellableAsyncHandler("chat.realtime.urls")
        handler = WSGIHandler()
        threads = FairThreads(chat_settings.WEB_THREADS)
        reader = partial(BodyReader, threads=threads, timeout=chat_settings.REQUEST_TIMEOUT)
        max_bytes = chat_settings.MAX_BODY_BYTES
        self.api = WSGIAdapter(
            without_request_signals(handler),
            threads,
            bodies=reader(api_body_limit, max_bytes=max(max_bytes, chat_settings.MAX_FILE_BYTES)),
        )
        self.admin = WSGIAdapter(
            with_request_signals(handler),
            threads,
            bodies=reader(admin_body_limit, max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
            rejects_bodies=True,
        )
        # Whether the client disconnects or not, a message is accepted.
        self.async_views = AsyncHandler(
            "chat.realtime.urls", reader(api_body_limit, max_bytes=max_bytes)
        )
        bodies = reader(protocol_body_limit, max_bytes=max_bytes)
        self.openai = CancellableAsyncHandler("chat.openai_api.urls", bodies)
        self.ui = CancellableAsyncHandler("chat.ui_api.urls", bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if EVENT_STREAM_PATH.fullmatch(scope["path"]):
            await self.cancellable(scope, receive, send)
        elif _is_poll(scope):
            handler = self.cancellable if b"wait=" in scope["query_string"] else self.async_views
            await handler(scope, receive, send)
        elif _is_small_message(scope) or _is_probe(scope):
            await self.async_views(scope, receive, send)
        elif scope["path"].startswith("/v1/"):
            await self.openai(scope, receive, send)
        elif scope["path"].startswith("/ui/"):
            await self.ui(scope, receive, send)
        elif scope["path"].startswith("/admin/"):
            await self.admin(scope, receive, send)
        else:
            await self.api(scope, receive, send)


def _is_poll(scope: Scope) -> bool:
    return (
        scope["method"] == "GET"
        and SESSION_PATH.fullmatch(scope["path"]) is not None
        and not any(name in BODY_HEADERS for name, _ in scope["headers"])
    )


def _is_small_message(scope: Scope) -> bool:
    """Return whether a message is posted that takes the event loop little time."""
    if scope["method"] != "POST" or MESSAGES_PATH.fullmatch(scope["path"]) is None:
        return False
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    is_small = length.isdigit() and 0 < int(length) <= UNCHECKED_BODY_BYTES
    return is_small and b"transfer-encoding" not in headers


def _is_probe(scope: Scope) -> bool:
    is_probe = scope["path"].removesuffix("/") in probes.PATHS and scope["method"] in probes.METHODS
    return is_probe and not any(name in BODY_HEADERS for name, _ in scope["headers"])


def _with_url_prefix(router: ProtocolTypeRouter) -> Any:
    return URLPrefix(router, settings.URL_PREFIX) if settings.URL_PREFIX else router


application = GracefulShutdown(
    _with_url_prefix(
        ProtocolTypeRouter(
            {"http": StaticFiles(PathRouter()), "websocket": URLRouter(websocket_urlpatterns)}
        )
    )
)
