"""`python -m uvicorn` with bounded request heads and frames, and with all its options.

Its command line knows its own protocols only, so theirs is what these names stand for. At the end
it sends itself the signal that ended it; a process that has ended in order is to say so by 0.
"""

import signal
import sys

from project import interrupts

interrupts.end_at_once()

from uvicorn import main
from uvicorn.config import HTTP_PROTOCOLS, WS_PROTOCOLS

# At import: the processes of `--workers` come by here, too, before they read their options.
HTTP_PROTOCOLS.update(
    {
        "auto": "project.server.http_protocol:BoundedHeads",
        "httptools": "project.server.http_protocol:BoundedHeads",
    }
)
WS_PROTOCOLS.update(
    {
        "auto": "project.server.websocket_protocol:BoundedFrames",
        "websockets-sansio": "project.server.websocket_protocol:BoundedFrames",
    }
)

if __name__ == "__main__":
    # Uvicorn puts its own handler in this one's place until it has ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
