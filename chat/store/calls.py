"""Store calls: functions that a thread or an event loop executes.

A store call is a generator. It yields the calls of one round trip and gets their replies, as often
as needed, then returns its result. It does no I/O itself, so one function serves both executors:
`store.sessions.read(...)` blocks the thread, `await store.sessions.read.on_loop(...)` does not.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

from redis.exceptions import RedisError

from chat.domain.errors import ParleyError, StoreUnavailable
from chat.settings import chat_settings
from chat.store.client import client, map_error
from chat.store.loop_client import loop_client
from chat.store.routing import Command
from chat.store.scripts import Call, ScriptCall, execute_calls, script_error

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

# Replies that say that a turn is in the session queue.
ACCEPTED = {b"ACCEPTED", b"REPLAYED"}

# Replies that are errors of Redis arrive in their place; errors of the connection are raised.
Steps: TypeAlias = Generator[Sequence[Call], list[Any], T]


class StoreCall(Generic[P, T]):
    """A function of the store. It raises `StoreUnavailable` if Redis did not answer."""

    def __init__(self, function: Callable[P, Steps[T]]) -> None:
        update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute the call in this thread."""
        return run(self._function(*args, **kwargs))

    async def on_loop(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Execute the call on the running event loop."""
        return await run_on_loop(self._function(*args, **kwargs))

    def steps(self, *args: P.args, **kwargs: P.kwargs) -> Steps[T]:
        """Return the steps, for another store call: `result = yield from call.steps(...)`."""
        return self._function(*args, **kwargs)


def store_call(function: Callable[P, Steps[T]]) -> StoreCall[P, T]:
    """Make a store call of a generator function."""
    return StoreCall(function)


def run(steps: Steps[T]) -> T:
    """Execute the steps of a store call in this thread."""
    try:
        calls = next(steps)
        while True:
            try:
                replies = _run_pipeline(calls)
            except RedisError as error:
                calls = steps.throw(map_error(error))
            else:
                calls = steps.send(replies)
    except StopIteration as end:
        result: T = end.value
        return result


async def run_on_loop(steps: Steps[T]) -> T:
    """Execute the steps of a store call on the running event loop.

    A WAIT runs in a thread: all calls of the loop share the connection that it blocks.
    """
    try:
        calls = next(steps)
        while True:
            try:
                replies = await _run_pipeline_on_loop(calls)
            except RedisError as error:
                calls = steps.throw(map_error(error))
            else:
                calls = steps.send(replies)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        # A cancelled call frees at once what it holds.
        steps.close()


def _run_pipeline(calls: Sequence[Call]) -> list[Any]:
    store = client()
    replies: list[Any] = store.run(execute_calls(calls, store.topology))
    return replies


async def _run_pipeline_on_loop(calls: Sequence[Call]) -> list[Any]:
    if isinstance(calls[-1], tuple) and calls[-1][0] == "WAIT":
        return await asyncio.to_thread(_run_pipeline, calls)
    return await loop_client().run_pipeline(calls)


def _wait_call() -> Command:
    return ("WAIT", chat_settings.REPLICAS, round(1000 * chat_settings.REPLICA_TIMEOUT))


def no_calls() -> Steps[None]:
    """Make no call."""
    yield from ()


def gather(first: Steps[T], second: Steps[U]) -> Steps[tuple[T, U]]:
    """Execute two store calls together: each round trip has what both need next, in this order.

    An error of either ends both. What they sent in the same round trip was executed.
    """
    one, other = branches = (_Branch(first), _Branch(second))
    while not (one.error or other.error) and (calls := [*one.calls, *other.calls]):
        try:
            replies = yield calls
        except ParleyError as error:
            one.throw(error)
            other.throw(error)
        else:
            own = replies[: len(one.calls)]
            other.send(replies[len(own) :])
            one.send(own)
    for branch in branches:
        branch.close()
    return one.result, other.result


class _Branch:
    """A store call that is executed together with another one."""

    def __init__(self, steps: Steps[Any]) -> None:
        self._steps = steps
        # Of the next round trip; none if the call has ended.
        self.calls: Sequence[Call] = ()
        self.result: Any = None
        self.error: ParleyError | None = None
        self._advance(steps.__next__)

    def send(self, replies: list[Any]) -> None:
        if self.calls:
            self._advance(lambda: self._steps.send(replies))

    def throw(self, error: ParleyError) -> None:
        if self.calls:
            self._advance(lambda: self._steps.throw(error))

    def close(self) -> None:
        """End the call.

        Raises:
            ParleyError: the error with which it has ended.
        """
        self._steps.close()
        if self.error is not None:
            raise self.error

    def _advance(self, advance: Callable[[], Sequence[Call]]) -> None:
        self.calls = ()
        try:
            self.calls = advance()
        except StopIteration as end:
            self.result = end.value
        except ParleyError as error:
            self.error = error


def send(call: Call) -> Steps[Any]:
    """Return the reply to one call: `reply = yield from send(call)`.

    Raises:
        StoreFull, StoreUnavailable: Redis replied with an error; programming errors pass unchanged.
    """
    (reply,) = yield [call]
    return reply_or_raise(reply)


def send_all(calls: Sequence[Call]) -> Steps[list[Any]]:
    """Return the replies to many calls in one round trip, with errors in their places."""
    if not calls:
        return []
    replies = yield calls
    return replies


def send_script(call: ScriptCall) -> Steps[list[Any]]:
    """Return the reply of a script.

    Raises:
        ParleyError: an error of `scripts.ERRORS`, if the script replied with it.
        StoreFull, StoreUnavailable: as `send`.
    """
    reply: list[Any] = yield from send(call)
    if error := script_error(reply):
        raise error
    return reply


def send_and_wait(call: ScriptCall) -> Steps[list[Any]]:
    """Return the reply of a script that accepts a turn, once `REPLICAS` replicas hold the write.

    Raises:
        StoreUnavailable: too few replicas hold it in time. The turn may stay accepted; the same
            request, sent again with its key, succeeds once they do.
        ParleyError: as `send_script`.
    """
    if not chat_settings.REPLICAS:
        return (yield from send_script(call))
    result, replicas = yield [call, _wait_call()]
    reply: list[Any] = reply_or_raise(result)
    if error := script_error(reply):
        raise error
    if reply[0] in ACCEPTED and not _is_enough(replicas):
        raise StoreUnavailable("Too few replicas hold the message.", retry_after=1)
    return reply


def _is_enough(replicas: Any) -> bool:
    return isinstance(replicas, int) and replicas >= chat_settings.REPLICAS


def reply_or_raise(reply: Any) -> Any:
    """Return a reply that is no error.

    Raises:
        StoreFull, StoreUnavailable: as `send`.
    """
    if isinstance(reply, RedisError):
        raise map_error(reply)
    return reply


def execute(call: ScriptCall) -> list[Any]:
    """Execute a script in this thread; returns and raises as `send_script`."""
    return run(send_script(call))


def execute_all(calls: Sequence[Call]) -> list[Any]:
    """Execute many calls in one round trip in this thread; return their replies.

    Raises:
        StoreFull, StoreUnavailable: as `send`, for any of them.
    """
    return [reply_or_raise(reply) for reply in run(send_all(calls))]
