"""Clients that chat with Parley over its REST API."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.wire import Line

CONTENT = "How far is it to the next lighthouse?"
WAIT = 30
"""Seconds that a long-poll may take."""

Act = Callable[[Line], Awaitable[object]]


class Client:
    """One session and the connection that it is used over."""

    def __init__(self, line: Line, opened: dict[str, Any]) -> None:
        self.line = line
        self.id: str = opened["id"]
        self.token: str = opened["token"]
        self.seq: int = opened["seq"]

    @classmethod
    async def open(cls, line: Line) -> "Client":
        """Open a session."""
        return cls(line, (await line.ask("POST", "/sessions", body={})).json())

    async def post(self, content: str = CONTENT) -> str:
        """Post a message; return the id of its reply."""
        answer = await self.line.ask(
            "POST", "/messages", token=self.token, body={"content": content}
        )
        assert answer.status == 202, answer
        reply: Any = answer.json()["reply"]
        self.seq = reply["seq"]
        reply_id: str = reply["id"]
        return reply_id

    async def answered(self, reply_id: str) -> None:
        """Long-poll until the reply has ended."""
        while True:
            path = f"/sessions/{self.id}?after={self.seq}&wait={WAIT}"
            answer = await self.line.ask("GET", path, token=self.token)
            assert answer.status == 200, answer
            snapshot: Any = answer.json()
            self.seq = snapshot["seq"]
            for message in snapshot["messages"]:
                if message["id"] == reply_id and message["completed_at"]:
                    assert message["status"] == "completed", message
                    return


class Follower:
    """A client's stream of events, and the replies that have ended."""

    def __init__(self, line: Line, client: Client) -> None:
        self._lines = line.stream(f"/sessions/{client.id}/events", token=client.token)

    async def completed(self, reply_id: str) -> None:
        """Read on until the reply is completed."""
        ended = b'"message_id":"%b","message":' % reply_id.encode()
        is_end = False
        async for text in self._lines:
            if text.startswith(b"event: "):
                is_end = text == b"event: message.completed"
            elif is_end and ended in text:
                return


async def rate(
    url: str, clients: int, seconds: float, act: Callable[[Line], Awaitable[Act]]
) -> float:
    """Return how many acts a second so many clients get done, each one after the other.

    act: prepares a client on its line and returns what it does again and again.
    """
    done = 0

    async def run(started: asyncio.Event) -> None:
        nonlocal done
        async with Line(url) as line:
            again = await act(line)
            await again(line)
            ready.release()
            await started.wait()
            while time.perf_counter() < until:
                await again(line)
                done += 1

    until = 0.0
    started, ready = asyncio.Event(), asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(run(started))
        for _ in range(clients):
            await ready.acquire()
        begun = time.perf_counter()
        until = begun + seconds
        started.set()
    return done / (time.perf_counter() - begun)
