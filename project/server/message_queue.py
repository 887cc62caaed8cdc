"""The messages that one WebSocket's application has yet to receive."""

import asyncio
from typing import Any


class MessageQueue:
    """What uvicorn uses of `asyncio.Queue`, for one reader.

    An empty one takes 0.1 KiB instead of 3, and an idle WebSocket has one.
    """

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiter: asyncio.Future[Any] | None = None

    def empty(self) -> bool:
        return not self._messages

    def put_nowait(self, message: Any) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(message)
        else:
            self._messages.append(message)

    def get(self) -> asyncio.Future[Any]:
        """Return the next message as soon as there is one; a coroutine would take 0.3 KiB more."""
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        if self._messages:
            waiter.set_result(self._messages.pop(0))
        return waiter
