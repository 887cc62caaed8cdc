"""Clients that chat with Parley over its REST API, as load."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.http_load import Connection

CONTENT = "How far is it to the next lighthouse?"
# Seconds that a long-poll waits.
WAIT = 30

Action = Callable[[Connection], Awaitable[object]]
Prepare = Callable[[Connection], Awaitable[Action]]


class ChatClient:
    """A session, and the connection that it uses."""

    def __init__(self, connection: Connection, session: dict[str, Any]) -> None:
        self.connection = connection
        self.id: str = session["id"]
        self.token: str = session["token"]
        self.seq: int = session["seq"]

    @classmethod
    async def create(cls, connection: Connection) -> "ChatClient":
        response = await connection.request("POST", "/sessions", body={})
        return cls(connection, response.json())

    async def post(self, content: str = CONTENT) -> str:
        """Post a message; return the id of its reply."""
        response = await self.connection.request(
            "POST", "/messages", token=self.token, body={"content": content}
        )
        assert response.status == 202, response
        reply: Any = response.json()["reply"]
        self.seq = reply["seq"]
        reply_id: str = reply["id"]
        return reply_id

    async def wait_for_reply(self, reply_id: str) -> None:
        """Long-poll until the reply is completed."""
        while True:
            path = f"/sessions/{self.id}?after={self.seq}&wait={WAIT}"
            response = await self.connection.request("GET", path, token=self.token)
            assert response.status == 200, response
            snapshot: Any = response.json()
            self.seq = snapshot["seq"]
            for message in snapshot["messages"]:
                if message["id"] == reply_id and message["completed_at"]:
                    assert message["status"] == "completed", message
                    return


class EventStream:
    """A client's server-sent events."""

    def __init__(self, connection: Connection, client: ChatClient) -> None:
        path = f"/sessions/{client.id}/events"
        self._lines = connection.stream_lines(path, token=client.token)

    async def wait_for_reply(self, reply_id: str) -> None:
        """Read events until the reply is completed."""
        message_id = b'"message_id":"%b","message":' % reply_id.encode()
        is_completed_event = False
        async for line in self._lines:
            if line.startswith(b"event: "):
                is_completed_event = line == b"event: message.completed"
            elif is_completed_event and message_id in line:
                return


@dataclass(frozen=True, slots=True)
class Load:
    """What clients have done: actions per second while all ran, and all actions."""

    per_second: float
    total: int


async def run(urls: Sequence[str], clients: int, seconds: float, prepare: Prepare) -> Load:
    """Let concurrent clients repeat their actions; each one uses one of the URLs.

    prepare: prepares a client on its connection and returns its action.
    """
    done = 0

    async def run_client(url: str) -> None:
        nonlocal done
        async with Connection(url) as connection:
            action = await prepare(connection)
            await action(connection)
            ready.release()
            await started.wait()
            while time.perf_counter() < end:
                await action(connection)
                done += 1

    end = 0.0
    started, ready = asyncio.Event(), asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(run_client(urls[number % len(urls)]))
        for _ in range(clients):
            await ready.acquire()
        start = time.perf_counter()
        end = start + seconds
        started.set()
    return Load(done / (time.perf_counter() - start), clients + done)
