"""Providers that block their thread, such as those that use `requests`."""

import asyncio
import contextvars
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from threading import Lock

import requests

from chat.domain import Prompt
from chat.providers import errors
from chat.providers.base import Item, Provider
from chat.settings import chat_settings


class BlockingCall:
    """One call of a blocking provider, which the worker may cancel from another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._on_cancel: Callable[[], object] | None = None
        self.is_cancelled = False

    def on_cancel(self, close: Callable[[], object]) -> None:
        """Let `close` end the call, for example by closing the response.

        It is called at once if the call is cancelled already. Without it, a cancelled call occupies
        its thread until the provider yields the next item.
        """
        with self._lock:
            self._on_cancel = close
            is_late = self.is_cancelled
        if is_late:
            close()

    def cancel(self) -> None:
        with self._lock:
            self.is_cancelled = True
            close, self._on_cancel = self._on_cancel, None
        if close is not None:
            close()


class BlockingProvider(Provider):
    """Runs a plain generator in threads, as many as a worker may run turns."""

    @abstractmethod
    def stream_blocking(self, prompt: Prompt, call: BlockingCall) -> Iterator[Item]:
        """Call the model; yield each delta as it arrives, and one `Completion` last.

        Errors of `requests` and of sockets become a `ProviderError`.

        Raises:
            ProviderError: the call failed.
        """

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Item]:
        call = BlockingCall()
        steps = _Steps(self.stream_blocking(prompt, call))
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        try:
            while (
                item := await loop.run_in_executor(_threads(), context.run, steps.next)
            ) is not None:
                yield item
        except (asyncio.CancelledError, GeneratorExit):
            call.cancel()
            raise
        finally:
            _threads().submit(steps.close)


class _Steps:
    """A generator that is advanced in one thread at a time, and closed after that."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._lock = Lock()

    def next(self) -> Item | None:
        with self._lock, errors.map_http_errors():
            try:
                return next(self._items, None)
            except requests.Timeout as error:
                raise TimeoutError from error

    def close(self) -> None:
        with self._lock:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()


@cache
def _threads() -> Executor:
    """Return separate threads: those of the event loop also resolve host names."""
    return ThreadPoolExecutor(chat_settings.WORKER_CONCURRENCY, thread_name_prefix="provider")
