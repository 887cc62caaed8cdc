"""Measurements of a running stack."""

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import median, quantiles
from typing import Any

from bench import chat_load, history
from bench.chat_load import Action, ChatClient, EventStream
from bench.cpu import CPUMeter
from bench.http_load import Connection
from chat.store import keys, metrics
from chat.store.client import execute_command
from tests.harness.processes import Process
from tests.harness.stack import Stack

CLIENTS = 50
SECONDS = 6.0
# Seconds without a request: several times as long as a message takes to reach the model.
PAUSE = 0.03
# Values by the name of the measurement.
Results = dict[str, float]


async def replies(stack: Stack) -> Results:
    """Return replies per second with a model latency of 0, and the CPU per reply in ms by process.

    Each client posts over one connection and receives the session's events over another.
    """
    pids = {
        "web": stack.web().pid,
        "worker": stack.worker().pid,
        "redis": stack.redis.pid,
        "model": stack.model.pid,
    }

    streams = AsyncExitStack()

    async def prepare(connection: Connection) -> Action:
        client = await ChatClient.create(connection)
        stream_connection = await streams.enter_async_context(Connection(stack.web().url))
        stream = EventStream(stream_connection, client)

        async def chat(_: Connection) -> None:
            await stream.wait_for_reply(await client.post())

        return chat

    meter = CPUMeter(pids)
    before = _completed()
    async with streams:
        per_second = await chat_load.throughput(stack.web().url, CLIENTS, SECONDS, prepare)
    used, done = meter.read(), _completed() - before
    costs = {f"cpu_ms_per_reply_{name}": 1000 * cpu / done for name, cpu in used.items()}
    own = sum(used[name] for name in ("web", "worker", "redis"))
    return {"replies_per_s": per_second, "cpu_ms_per_reply": 1000 * own / done, **costs}


async def fastapi_replies(server: Process, name: str) -> Results:
    """Return the replies per second of the FastAPI app."""
    body = {"content": chat_load.CONTENT}

    async def post(connection: Connection) -> None:
        response = await connection.request("POST", "/chat", body=body)
        assert response.status == 200, response

    async def prepare(_: Connection) -> Action:
        return post

    per_second = await chat_load.throughput(server.url, CLIENTS, SECONDS, prepare)
    return {f"replies_per_s_fastapi_{name}": per_second}


async def thousand_sessions(stack: Stack, count: int = 1000) -> Results:
    """Return the time to answer 1,000 sessions that all post at once."""
    async with Connection(stack.web().url) as connection:
        clients = [await ChatClient.create(connection) for _ in range(count)]
    started = time.perf_counter()
    groups = [clients[i::CLIENTS] for i in range(CLIENTS)]
    await asyncio.gather(*(_post_all(stack, group) for group in groups))
    await asyncio.gather(*(_wait_for_all(stack, group) for group in groups))
    return {"seconds_for_1000_sessions": time.perf_counter() - started}


async def _post_all(stack: Stack, clients: list[ChatClient]) -> None:
    async with Connection(stack.web().url) as connection:
        for client in clients:
            client.connection = connection
            await client.post("[[latency=0.5]] hello")


async def _wait_for_all(stack: Stack, clients: list[ChatClient]) -> None:
    async with Connection(stack.web().url) as connection:
        for client in clients:
            client.connection = connection
            await client.wait_for_reply("msg_2")


async def submit_to_model(stack: Stack, count: int = 200) -> Results:
    """Return the time in ms from sending a POST until the model is called, on an idle stack.

    The client waits before it polls for the reply: on a machine with two cores, polling would take
    one away from the worker.
    """
    sent = []
    async with Connection(stack.web().url) as connection, Connection(stack.model.url) as model:
        client = await ChatClient.create(connection)
        assert (await model.request("POST", "/__reset__")).status == 200
        for _ in range(count):
            sent.append(time.time())
            reply_id = await client.post()
            await asyncio.sleep(PAUSE)
            await client.wait_for_reply(reply_id)
        response = await model.request("GET", f"/__calls__?limit={count}")
    calls: Any = response.json()["calls"]
    times = [1000 * (call["received_at"] - at) for call, at in zip(calls, sent, strict=True)]
    return percentiles("submit_to_model_ms", times[10:])


async def polls(stack: Stack) -> Results:
    """Return the polls per second of a web process, for changed and unchanged sessions."""
    token, caller = history.create_session(20)
    path = f"/sessions/{caller.session_id}"
    async with Connection(stack.web().url) as connection:
        etag = (await connection.request("GET", path, token=token)).header("etag")

    def polling(status: int, headers: str = "") -> Action:
        async def poll(connection: Connection) -> None:
            response = await connection.request("GET", path, token=token, headers=headers)
            assert response.status == status, response

        return poll

    async def changed(_: Connection) -> Action:
        return polling(200)

    async def unchanged(_: Connection) -> Action:
        return polling(304, f"If-None-Match: {etag}\r\n")

    url = stack.web().url
    return {
        "polls_per_s_changed": await chat_load.throughput(url, CLIENTS, SECONDS / 2, changed),
        "polls_per_s_unchanged": await chat_load.throughput(url, CLIENTS, SECONDS / 2, unchanged),
    }


async def by_history(stack: Stack, lengths: tuple[int, ...] = (10, 1000, 10_000)) -> Results:
    """Return the median latency in ms of a POST and of a poll, by the length of the history."""
    results: Results = {}
    for length in lengths:
        token, caller = history.create_session(length)
        async with Connection(stack.web().url) as connection:
            client = ChatClient(connection, {"id": caller.session_id, "token": token, "seq": 0})
            results[f"post_ms_p50_history_{length}"] = median(await _posts(client))
            results[f"poll_ms_p50_history_{length}"] = median(await _polls(client))
    return results


async def _posts(client: ChatClient, count: int = 100) -> list[float]:
    """Return the latencies in ms of POSTs; each follows the reply to the one before."""
    latencies = []
    for _ in range(count):
        started = time.perf_counter()
        reply_id = await client.post()
        latencies.append(1000 * (time.perf_counter() - started))
        await client.wait_for_reply(reply_id)
    return latencies


async def _polls(client: ChatClient, count: int = 200) -> list[float]:
    """Return the latencies in ms of successive polls."""
    latencies = []
    for _ in range(count):
        started = time.perf_counter()
        await client.connection.request("GET", f"/sessions/{client.id}", token=client.token)
        latencies.append(1000 * (time.perf_counter() - started))
    return latencies


def bytes_per_message(count: int = 1000) -> Results:
    """Return the bytes in Redis per message, including its events and its share of the session."""
    _, caller = history.create_session(count)
    own = keys.for_session(caller.session_id)[:5]
    used = [execute_command("MEMORY", "USAGE", key, "SAMPLES", 0) or 0 for key in own]
    return {"redis_bytes_per_message": sum(used) / count}


def percentiles(name: str, values: list[float]) -> Results:
    """Return the median and the 99th percentile."""
    cuts = quantiles(values, n=100, method="inclusive")
    return {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98]}


def _completed() -> int:
    """Return the number of replies completed so far."""
    turns = metrics.read().turns
    return sum(count for (outcome, _), count in turns.items() if outcome == "completed")
