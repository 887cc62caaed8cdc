"""`python -m project.server.main`: uvicorn's command line with Parley's protocols as defaults."""

import signal
import sys

import uvicorn

from project import bootstrap

DEFAULTS = {
    "http": "project.server.http_protocol:HTTPProtocol",
    "ws": "project.server.websocket_protocol:WebSocketProtocol",
}

# Before uvicorn imports the protocols, which need Django, and at import: `--workers` starts
# processes that import this module, but do not run it.
bootstrap.setup()

if __name__ == "__main__":
    # After a graceful shutdown uvicorn restores this handler and raises the signal again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.main(default_map=DEFAULTS)
