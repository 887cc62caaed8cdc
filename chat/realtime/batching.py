"""Batching of concurrent requests, as in DataLoader (github.com/graphql/dataloader)."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")

# A larger batch would delay the first of its requests for too long.
MAX_BATCH_SIZE = 100


class Batcher(Generic[Request, Result]):
    """Runs one batch at a time in a thread; the next one contains what arrived in between.

    A single request is sent immediately. Under load, requests share the round trip, the thread
    switch and the wait for the interpreter lock.
    """

    def __init__(self, execute: Callable[[Sequence[Request]], Sequence[Result]]) -> None:
        # Returns one result per request, in order.
        self._execute = execute
        self._pending: list[tuple[Request, asyncio.Future[Result]]] = []
        self._thread = ThreadPoolExecutor(1, "batching")
        self._is_running = False

    async def load(self, request: Request) -> Result:
        """Return the result. An exception of `execute` reaches every request of its batch."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._pending.append((request, result))
        if not self._is_running:
            self._flush()
        return await result

    def _flush(self) -> None:
        batch, self._pending = self._pending[:MAX_BATCH_SIZE], self._pending[MAX_BATCH_SIZE:]
        requests = [request for request, _ in batch]
        run = asyncio.get_running_loop().run_in_executor(self._thread, self._execute, requests)
        run.add_done_callback(lambda run: self._resolve(run, [result for _, result in batch]))
        self._is_running = True

    def _resolve(
        self, run: asyncio.Future[Sequence[Result]], results: list[asyncio.Future[Result]]
    ) -> None:
        error = run.exception()
        for i, result in enumerate(results):
            if result.done():
                continue  # the client disconnected
            if error is None:
                result.set_result(run.result()[i])
            else:
                result.set_exception(error)
        self._is_running = False
        if self._pending:
            self._flush()
