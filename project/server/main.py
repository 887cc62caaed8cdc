"""`python -m project.server.main`: uvicorn's command line with Parley's protocols as defaults."""

import signal
import sys
from importlib.util import find_spec
from typing import Any

import uvicorn

from chat.accounts.connections import raise_descriptor_limit
from chat.settings import chat_settings
from project import bootstrap, hangup

# Before uvicorn imports the protocols, which need Django, and at import: `--workers` starts
# processes that import this module, but do not run it.
bootstrap.setup()
hangup.ignore()
raise_descriptor_limit()
# Seconds after which a thread with a sync view yields to the event loop, instead of 0.005: a poll
# takes several passes of the loop, each of which would wait for as long.
sys.setswitchinterval(0.0005)

DEFAULTS: dict[str, Any] = {
    "http": "project.server.http_protocol:HTTPProtocol",
    "ws": "project.server.websocket_protocol:WebSocketProtocol",
    # A WebSocket takes the same messages as the REST API.
    "ws_max_size": chat_settings.MAX_BODY_BYTES,
    # Unfinished frames are counted by the bytes received: compressed, 3 kB may hold 3 MB.
    "ws_per_message_deflate": False,
    # CHAT_TRUSTED_PROXIES says whose X-Forwarded-For headers are believed.
    "proxy_headers": False,
    # Some URLs contain tokens.
    "access_log": False,
}

if find_spec("uvloop"):  # it is not available for all platforms
    DEFAULTS["loop"] = "project.server.event_loop:EventLoop"

if __name__ == "__main__":
    # After a graceful shutdown uvicorn restores this handler and raises the signal again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.main(default_map=DEFAULTS)
