"""Turns on an event loop, as the worker runs them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from chat.http.client import close_connections
from chat.store.loop_client import close_loop_client
from chat.worker.active_turns import ActiveTurn, active_turns
from chat.worker.flusher import flush, run_flusher
from chat.worker.turn_runner import run_next_turn

T = TypeVar("T")

# The event loop that is running a coroutine.
_loops: list[asyncio.AbstractEventLoop] = []


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine."""
    return asyncio.run(_run(work))


def run_turn(session_id: str, *, flushes: bool = True) -> None:
    """Run the session's next turn; with `flushes`, the flusher runs at the same time."""
    on_loop(_run_with_flusher(session_id) if flushes else run_next_turn(session_id))


def flush_from_thread(turns: list[ActiveTurn]) -> None:
    """Flush turns from the thread of their model."""
    asyncio.run_coroutine_threadsafe(flush(turns), _loops[-1]).result(10)


async def _run_with_flusher(session_id: str) -> None:
    flusher = asyncio.ensure_future(run_flusher(active_turns))
    try:
        await run_next_turn(session_id)
    finally:
        flusher.cancel()
        await asyncio.wait([flusher])  # it may use the connections that are closed next


async def _run(work: Coroutine[Any, Any, T]) -> T:
    _loops.append(asyncio.get_running_loop())
    try:
        return await work
    finally:
        _loops.pop()
        close_connections()
        await close_loop_client()
