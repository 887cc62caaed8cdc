"""The one port of a web process: each request takes the lane that serves it cheapest.

* WebSockets go to Channels.
* What waits for news, and streams of events, go to Django's async views: they cost no thread.
* Static files are read straight from disk.
* The admin, which has a database, and all the rest of REST and pages, which have none, go to
  Django's sync views on a few threads: two to three times as many requests a second as by Django's
  ASGI handler (docs/adr/0011-web-lanes.md).
"""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings

from chat.conf import knobs
from project.bodies import Receive, Scope, Send
from project.bridge import Bridge, with_database, without_database
from project.wsgi import application as wsgi_application  # sets Django up

# What follows needs Django to be set up.
from chat.push.routing import websocket_urlpatterns  # isort: skip
from project.ending import Ending  # isort: skip
from project.statics import StaticFiles  # isort: skip
from project.waiting import WaitingHandler  # isort: skip

WAITING = re.compile(r"/sessions/[^/]+")
"""Paths that wait when they are asked to by `wait=`."""
STREAMING = re.compile(r"/sessions/[^/]+/events")
"""Paths that are streams of events."""


class Lanes:
    """Chooses the lane of an HTTP request."""

    def __init__(self) -> None:
        self.waiting = WaitingHandler("chat.push.urls")
        bridge = partial(
            Bridge,
            threads=ThreadPoolExecutor(knobs.WEB_THREADS, "web"),
            patience=knobs.BODY_TIMEOUT,
        )
        self.api = bridge(without_database(wsgi_application), most=knobs.BODY_BYTES)
        self.admin = bridge(
            with_database(wsgi_application), most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if _waits(scope):
            await self.waiting(scope, receive, send)
        elif scope["path"].startswith("/admin/"):
            await self.admin(scope, receive, send)
        else:
            await self.api(scope, receive, send)


def _waits(scope: Scope) -> bool:
    if STREAMING.fullmatch(scope["path"]):
        return True
    return (
        b"wait=" in scope["query_string"]
        and scope["method"] == "GET"
        and WAITING.fullmatch(scope["path"]) is not None
    )


application = Ending(
    ProtocolTypeRouter(
        {"http": StaticFiles(Lanes()), "websocket": URLRouter(websocket_urlpatterns)}
    )
)
