"""Model calls as tests make them: on an event loop in a thread, as in a worker."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from functools import cache
from typing import Any, TypeVar

from django.utils.module_loading import import_string

from chat.domain import Completion, Prompt, Timeouts
from chat.domain.errors import ParleyError
from chat.providers.base import Item, Provider
from chat.providers.registry import ALIASES
from tests.integration.providers.raw_server import CA, RawServer, respond
from tests.unit.providers.models import model, prompt

T = TypeVar("T")

HELLO = prompt("Hello")


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """The loop of all calls of this process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine."""
    return asyncio.run_coroutine_threadsafe(work, event_loop()).result(60)


class Stream:
    """The items of a running call, as a blocking iterator."""

    def __init__(self, provider: Provider, question: Prompt = HELLO) -> None:
        self._items = provider.stream(question)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        item: Item | None = on_loop(self._next())
        if item is None:
            raise StopIteration
        return item

    async def _next(self) -> Item | None:
        return await anext(self._items, None)

    def close(self) -> None:
        on_loop(self._items.aclose())


def create_provider(server: RawServer, **fields: Any) -> Provider:
    """Return a provider that trusts the server's certificate, by default of the chat format."""
    configured = model(**{"url": server.url, "verify": CA, **fields})
    provider: Provider = import_string(ALIASES[configured.provider])(configured)
    return provider


async def collect(provider: Provider, question: Prompt = HELLO) -> list[Item]:
    return [item async for item in provider.stream(question)]


def items_of(provider: Provider, question: Prompt = HELLO) -> list[Item]:
    """Return what a call yields."""
    return on_loop(collect(provider, question))


def get_reply(provider: Provider, question: Prompt = HELLO) -> str:
    """Return the text of the reply."""
    return "".join(item for item in items_of(provider, question) if isinstance(item, str))


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


class RunningCall:
    """A call that the test may cancel."""

    def __init__(self, provider: Provider, question: Prompt = HELLO) -> None:
        self.provider = provider
        self.question = question
        self.deltas: list[str] = []
        self.has_delta = threading.Event()
        self.has_ended = threading.Event()
        self.error: ParleyError | None = None
        self.is_cancelled = False
        self.ended_at = 0.0
        self._call = asyncio.run_coroutine_threadsafe(self._run(), event_loop())

    async def _run(self) -> None:
        try:
            async for item in self.provider.stream(self.question):
                if isinstance(item, str):
                    self.deltas.append(item)
                    self.has_delta.set()
        except ParleyError as error:
            self.error = error
        except asyncio.CancelledError:
            self.is_cancelled = True
        self.ended_at = time.monotonic()
        self.has_ended.set()

    def is_running(self) -> bool:
        return not self.has_ended.is_set()

    def cancel(self) -> float:
        """Cancel the call; fail unless that ended it. Return the seconds it took."""
        cancelled_at = time.monotonic()
        self._call.cancel()
        assert self.has_ended.wait(10), "the call is still running"
        assert self.is_cancelled, self.error
        return self.ended_at - cancelled_at
