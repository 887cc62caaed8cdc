"""Model calls as tests make them."""

import sys
import threading
import time
from typing import Any

from chat.domain import Completion, Prompt, Timeouts
from chat.domain.errors import UpstreamClosed
from chat.http.cancellation import CancellableCall
from chat.providers.base import Provider
from chat.providers.openai import OpenAI
from tests.integration.providers.servers import CA, Server
from tests.unit.providers.models import model, prompt

HELLO = prompt("Hello")
# Modules whose functions a thread stands in while it waits for the other side.
WAITING_IN = ("/socket.py", "/ssl.py", "/urllib3/util/wait.py")
# Where it stands while a plain socket takes no more.
SENDING = "HTTPConnection.send"


def to(server: Server, **fields: Any) -> Provider:
    """Return a chat provider that trusts `server`."""
    return OpenAI(model(**{"url": server.url, "verify": CA, **fields}))


def ask(provider: Provider, asked: Prompt = HELLO, upstream: CancellableCall | None = None) -> str:
    """Return the reply's text; raises what the provider raises."""
    said = provider.stream(asked, upstream or CancellableCall())
    return "".join(item for item in said if not isinstance(item, Completion))


def patient(**bounds: float) -> Timeouts:
    """Return timeouts that no test lives to see, but for `bounds`."""
    return Timeouts(**{"connect": 60.0, "first_delta": 60.0, "between_deltas": 60.0, **bounds})


class Call(threading.Thread):
    """A call in a thread of its own."""

    def __init__(self, provider: Provider, asked: Prompt = HELLO) -> None:
        super().__init__(daemon=True)
        self.provider = provider
        self.asked = asked
        self.upstream = CancellableCall()
        self.said: list[str] = []
        self.first_said = threading.Event()
        self.error: Exception | None = None
        self.ended_at = 0.0
        self.start()

    def run(self) -> None:
        try:
            for item in self.provider.stream(self.asked, self.upstream):
                self.said.append(item if isinstance(item, str) else "")
                self.first_said.set()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.ended_at = time.monotonic()

    def waits(self) -> bool:
        """Whether it stands in a function that waits for the other side."""
        frame = sys._current_frames().get(self.ident or 0)
        return frame is not None and (
            frame.f_code.co_filename.endswith(WAITING_IN) or frame.f_code.co_qualname == SENDING
        )

    def close(self) -> float:
        """Close the call, see it end with `UpstreamClosed`, and return the seconds it took."""
        closed_at = time.monotonic()
        self.upstream.cancel()
        self.join(timeout=10)
        assert not self.is_alive(), "the call goes on"
        assert type(self.error) is UpstreamClosed, self.error
        return self.ended_at - closed_at
