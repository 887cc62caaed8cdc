"""The CPU that turns cost, by process. It is comparable on a busy machine, unlike latencies."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median

from bench.chat_load import CONTENT, ChatClient, EventStream
from bench.cpu import CPUMeter
from bench.http_load import Connection
from bench.measurements import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Clients that post one message after another, and receive the events."""

    name: str
    content: str
    clients: int
    # Turns of each client.
    turns: int


SHORT = Load(name="short_turn", content=CONTENT, clients=40, turns=50)
# Replies of five seconds with 20 deltas per second.
STREAMED = Load(name="streamed_turn", content="[[tokens=100 rate=20]]", clients=200, turns=2)


async def cost(url: str, pids: Mapping[str, int], load: Load) -> Results:
    """Return ms of CPU per turn by process, and turns per second.

    Each client posts over one connection and receives the session's events over another.
    """
    async with AsyncExitStack() as connections:
        clients = []
        for _ in range(load.clients):
            posts = await connections.enter_async_context(Connection(url))
            events = await connections.enter_async_context(Connection(url))
            client = await ChatClient.create(posts)
            clients.append((client, EventStream(events, client)))
        await asyncio.gather(*(_talk(*client, CONTENT, 1) for client in clients))
        meter, started = CPUMeter(pids), time.perf_counter()
        await asyncio.gather(*(_talk(*client, load.content, load.turns) for client in clients))
        used, seconds = meter.read(), time.perf_counter() - started
    done = load.clients * load.turns
    costs = {f"cpu_ms_per_{load.name}_{name}": 1000 * cpu / done for name, cpu in used.items()}
    return {f"{load.name}s_per_s": done / seconds, **costs}


async def latencies(url: str, count: int = 200) -> Results:
    """Return median ms of one client: of a POST, of its reply, and of a poll without changes."""
    times: dict[str, list[float]] = defaultdict(list)
    async with Connection(url) as connection:
        client = await ChatClient.create(connection)
        for _ in range(count):
            started = time.perf_counter()
            reply = await client.post()
            posted = time.perf_counter()
            await client.wait_for_reply(reply)
            replied = time.perf_counter()
            path = f"/sessions/{client.id}?after={client.seq}"
            await connection.request("GET", path, token=client.token)
            times["post"].append(posted - started)
            times["reply"].append(replied - started)
            times["poll"].append(time.perf_counter() - replied)
    return {f"{name}_ms_p50": 1000 * median(values) for name, values in times.items()}


async def _talk(client: ChatClient, stream: EventStream, content: str, turns: int) -> None:
    for _ in range(turns):
        await stream.wait_for_reply(await client.post(content))
