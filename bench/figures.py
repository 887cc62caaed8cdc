"""Each figure's measurement, on a running stack."""

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import median, quantiles
from typing import Any

from bench import chatting, cpu, history
from bench.chatting import Act, Client, Follower
from bench.wire import Line
from chat.store import keys, metrics
from chat.store.client import client as redis_client
from tests.harness.processes import Process
from tests.harness.stack import Stack

CLIENTS = 50
SECONDS = 6.0
PAUSE = 0.03
"""Seconds without a request, several times as long as a message takes to reach the model."""
Figures = dict[str, float]


async def replies(stack: Stack) -> Figures:
    """Return replies/s with the model at 0 ms, and what each costs; CPU in ms by process.

    Each client posts over one connection and follows its session's events over another.
    """
    pids = {
        "web": stack.web().pid,
        "worker": stack.worker().pid,
        "redis": stack.redis.pid,
        "model": stack.model.pid,
    }

    streams = AsyncExitStack()

    async def act(line: Line) -> Act:
        client = await Client.open(line)
        follower = Follower(await streams.enter_async_context(Line(stack.web().url)), client)

        async def chat(_: Line) -> None:
            await follower.completed(await client.post())

        return chat

    meter = cpu.Meter(pids)
    before = _completed()
    async with streams:
        per_second = await chatting.rate(stack.web().url, CLIENTS, SECONDS, act)
    used, done = meter.read(), _completed() - before
    costs = {f"cpu_ms_per_reply_{name}": 1000 * spent / done for name, spent in used.items()}
    own = sum(used[name] for name in ("web", "worker", "redis"))
    return {"replies_per_s": per_second, "cpu_ms_per_reply": 1000 * own / done, **costs}


async def passed_through(server: Process, name: str) -> Figures:
    """Return replies/s of a pass-through."""
    body = {"content": chatting.CONTENT}

    async def post(line: Line) -> None:
        answer = await line.ask("POST", "/chat", body=body)
        assert answer.status == 200, answer

    async def act(_: Line) -> Act:
        return post

    per_second = await chatting.rate(server.url, CLIENTS, SECONDS, act)
    return {f"replies_per_s_fastapi_{name}": per_second}


async def thousand_sessions(stack: Stack, count: int = 1000) -> Figures:
    """Return how long it takes to answer 1,000 sessions that all post at once."""
    async with Line(stack.web().url) as line:
        opened = [await Client.open(line) for _ in range(count)]
    started = time.perf_counter()
    lanes = [opened[i::CLIENTS] for i in range(CLIENTS)]
    await asyncio.gather(*(_post_all(stack, lane) for lane in lanes))
    await asyncio.gather(*(_wait_for_all(stack, lane) for lane in lanes))
    return {"seconds_for_1000_sessions": time.perf_counter() - started}


async def _post_all(stack: Stack, clients: list[Client]) -> None:
    async with Line(stack.web().url) as line:
        for client in clients:
            client.line = line
            await client.post("[[latency=0.5]] hello")


async def _wait_for_all(stack: Stack, clients: list[Client]) -> None:
    async with Line(stack.web().url) as line:
        for client in clients:
            client.line = line
            await client.answered("msg_2")


async def hop(stack: Stack, count: int = 200) -> Figures:
    """Return the time from the sending of a POST to the model's being called, when idle; ms.

    Idle means that the client asks for nothing else meanwhile, not even for the reply: it would
    take a core from the worker on a machine that has two.
    """
    sent = []
    async with Line(stack.web().url) as line, Line(stack.model.url) as model:
        client = await Client.open(line)
        assert (await model.ask("POST", "/__reset__")).status == 200
        for _ in range(count):
            sent.append(time.time())
            reply_id = await client.post()
            await asyncio.sleep(PAUSE)
            await client.answered(reply_id)
        recorded = await model.ask("GET", f"/__calls__?limit={count}")
    calls: Any = recorded.json()["calls"]
    hops = [1000 * (call["received_at"] - at) for call, at in zip(calls, sent, strict=True)]
    return percentiles("hop_ms", hops[10:])


async def polls(stack: Stack) -> Figures:
    """Return how many polls/s one web process answers, changed ones and unchanged ones."""
    token, caller = history.session_with(20)
    path = f"/sessions/{caller.session_id}"
    async with Line(stack.web().url) as line:
        etag = (await line.ask("GET", path, token=token)).header("etag")

    def polling(status: int, headers: str = "") -> Act:
        async def poll(line: Line) -> None:
            answer = await line.ask("GET", path, token=token, headers=headers)
            assert answer.status == status, answer

        return poll

    async def changed(_: Line) -> Act:
        return polling(200)

    async def unchanged(_: Line) -> Act:
        return polling(304, f"If-None-Match: {etag}\r\n")

    url = stack.web().url
    return {
        "polls_per_s_changed": await chatting.rate(url, CLIENTS, SECONDS / 2, changed),
        "polls_per_s_unchanged": await chatting.rate(url, CLIENTS, SECONDS / 2, unchanged),
    }


async def by_history(stack: Stack, lengths: tuple[int, ...] = (10, 1000, 10_000)) -> Figures:
    """Return the median latency of a POST and of a poll by the length of the history; ms."""
    figures: Figures = {}
    for length in lengths:
        token, caller = history.session_with(length)
        async with Line(stack.web().url) as line:
            client = Client(line, {"id": caller.session_id, "token": token, "seq": 0})
            figures[f"post_ms_p50_history_{length}"] = median(await _posts(client))
            figures[f"poll_ms_p50_history_{length}"] = median(await _polls(client))
    return figures


async def _posts(client: Client, count: int = 100) -> list[float]:
    """Return how long each POST took, one after the other and each answered; ms."""
    took = []
    for _ in range(count):
        started = time.perf_counter()
        reply_id = await client.post()
        took.append(1000 * (time.perf_counter() - started))
        await client.answered(reply_id)
    return took


async def _polls(client: Client, count: int = 200) -> list[float]:
    """Return how long each poll took, one after the other; ms."""
    took = []
    for _ in range(count):
        started = time.perf_counter()
        await client.line.ask("GET", f"/sessions/{client.id}", token=client.token)
        took.append(1000 * (time.perf_counter() - started))
    return took


def bytes_per_message(count: int = 1000) -> Figures:
    """Return the bytes of Redis that a message takes, its events and its session's share in it."""
    _, caller = history.session_with(count)
    own = keys.for_session(caller.session_id)[:5]
    used = [redis_client().memory_usage(key, samples=0) or 0 for key in own]
    return {"redis_bytes_per_message": sum(used) / count}


def percentiles(name: str, values: list[float]) -> Figures:
    """Return the median and the 99th percentile."""
    cuts = quantiles(values, n=100, method="inclusive")
    return {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98]}


def _completed() -> int:
    """Return how many replies have been completed so far."""
    turns = metrics.read().turns
    return sum(count for (outcome, _), count in turns.items() if outcome == "completed")
