"""The one port of a web process: each request takes the lane that serves it cheapest.

* WebSockets go to Channels.
* Polls, what waits for news, and streams of events go to Django's async views: waiting costs no
  thread there, and polls that come together are read together.
* Static files are read straight from disk.
* The admin, which has a database, and all the rest of REST and pages, which have none, go to
  Django's sync views on a few threads: two to three times as many requests a second as by Django's
  ASGI handler (docs/adr/0011-asgi-routing.md).
"""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings

from chat.settings import chat_settings
from project import interrupts
from project.server.body import Receive, Scope, Send
from project.server.wsgi_adapter import Bridge, with_database, without_database
from project.wsgi import application as wsgi_application  # sets Django up

# What follows needs Django to be set up.
from project.websocket_urls import urlpatterns as websocket_urlpatterns  # isort: skip
from project.server.shutdown import Ending  # isort: skip
from project.bootstrap import settle  # isort: skip
from project.server.static_files import StaticFiles  # isort: skip
from project.server.async_handler import PollingHandler, WaitingHandler  # isort: skip

POLLED = re.compile(r"/sessions/[^/]+")
"""Paths that are polled, and wait when they are asked to by `wait=`."""
STREAMING = re.compile(r"/sessions/[^/]+/events")
"""Paths that are streams of events."""
OF_A_BODY = {b"content-length", b"transfer-encoding"}
"""Headers that announce a body; the lane of REST deals with those that nobody asked for."""


class Lanes:
    """Chooses the lane of an HTTP request."""

    def __init__(self) -> None:
        self.polling = PollingHandler("chat.realtime.urls")
        self.waiting = WaitingHandler("chat.realtime.urls")
        bridge = partial(
            Bridge,
            threads=ThreadPoolExecutor(chat_settings.WEB_THREADS, "web"),
            patience=chat_settings.REQUEST_TIMEOUT,
        )
        self.api = bridge(without_database(wsgi_application), most=chat_settings.MAX_BODY_BYTES)
        self.admin = bridge(
            with_database(wsgi_application), most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if STREAMING.fullmatch(scope["path"]):
            await self.waiting(scope, receive, send)
        elif _polls(scope):
            lane = self.waiting if b"wait=" in scope["query_string"] else self.polling
            await lane(scope, receive, send)
        elif scope["path"].startswith("/admin/"):
            await self.admin(scope, receive, send)
        else:
            await self.api(scope, receive, send)


def _polls(scope: Scope) -> bool:
    return (
        scope["method"] == "GET"
        and POLLED.fullmatch(scope["path"]) is not None
        and not any(name in OF_A_BODY for name, _ in scope["headers"])
    )


application = Ending(
    ProtocolTypeRouter(
        {"http": StaticFiles(Lanes()), "websocket": URLRouter(websocket_urlpatterns)}
    )
)
# All is loaded; a server ends in order from here on.
interrupts.raise_again()

settle()
