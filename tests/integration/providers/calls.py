"""Model calls as tests make them."""

import sys
import threading
import time
from typing import Any

from django.utils.module_loading import import_string

from chat.domain import Completion, Prompt, Timeouts
from chat.domain.errors import ParleyError, UpstreamClosed
from chat.http.cancellation import CancellableCall
from chat.providers.base import Item, Provider
from chat.providers.registry import ALIASES
from tests.integration.providers.raw_server import CA, RawServer, respond
from tests.unit.providers.models import model, prompt

HELLO = prompt("Hello")
# A thread that waits for the server is in a function of one of these modules.
BLOCKING_MODULES = ("/socket.py", "/ssl.py", "/urllib3/util/wait.py")
# A call blocks in this function while the buffer of a plain socket is full.
BLOCKING_FUNCTION = "HTTPConnection.send"


def create_provider(server: RawServer, **fields: Any) -> Provider:
    """Return a provider that trusts the server's certificate, by default of the chat format."""
    configured = model(**{"url": server.url, "verify": CA, **fields})
    provider: Provider = import_string(ALIASES[configured.provider])(configured)
    return provider


def items_of(
    provider: Provider, question: Prompt = HELLO, call: CancellableCall | None = None
) -> list[Item]:
    """Return what a call yields."""
    return list(provider.stream(question, call or CancellableCall()))


def get_reply(
    provider: Provider, question: Prompt = HELLO, call: CancellableCall | None = None
) -> str:
    """Return the text of the reply."""
    items = items_of(provider, question, call)
    return "".join(item for item in items if isinstance(item, str))


def complete(provider: Provider, question: Prompt = HELLO) -> tuple[str, Completion]:
    """Return the text of the reply and its completion."""
    *items, completion = items_of(provider, question)
    assert isinstance(completion, Completion)
    return "".join(item for item in items if isinstance(item, str)), completion


def reply_to(*parts: bytes, **fields: Any) -> tuple[str, Completion]:
    """Return the reply of a server that sends `parts` and then closes the connection."""
    with RawServer(respond(*parts, closes=True)) as server:
        return complete(create_provider(server, **fields))


def long_timeouts(**timeouts: float) -> Timeouts:
    """Return timeouts that exceed the duration of a test, except for `timeouts`."""
    return Timeouts(**{"connect": 60.0, "first_event": 60.0, "between_events": 60.0, **timeouts})


class CallThread(threading.Thread):
    """A running call."""

    def __init__(self, provider: Provider, question: Prompt = HELLO) -> None:
        super().__init__(daemon=True)
        self.provider = provider
        self.question = question
        self.call = CancellableCall()
        self.deltas: list[str] = []
        self.has_delta = threading.Event()
        self.error: Exception | None = None
        self.ended_at = 0.0
        self.start()

    def run(self) -> None:
        try:
            for item in self.provider.stream(self.question, self.call):
                if isinstance(item, str):
                    self.deltas.append(item)
                    self.has_delta.set()
        except ParleyError as error:
            self.error = error
        self.ended_at = time.monotonic()

    def is_blocked(self) -> bool:
        """Return whether the thread waits for the server."""
        frame = sys._current_frames().get(self.ident or 0)
        return frame is not None and (
            frame.f_code.co_filename.endswith(BLOCKING_MODULES)
            or frame.f_code.co_qualname == BLOCKING_FUNCTION
        )

    def cancel(self) -> float:
        """Cancel the call; fail unless it raises `UpstreamClosed`. Return the seconds it took."""
        cancelled_at = time.monotonic()
        self.call.cancel()
        self.join(timeout=10)
        assert not self.is_alive(), "the call is still running"
        assert type(self.error) is UpstreamClosed, self.error
        return self.ended_at - cancelled_at
