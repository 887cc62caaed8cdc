"""Measurements of an installation."""

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import median, quantiles
from typing import Any

from redis import Redis

from bench import chat_load
from bench.chat_load import Action, ChatClient, EventStream
from bench.cpu import CPUMeter
from bench.http_load import Connection
from bench.revisions import Installation, Revision
from tests.harness.processes import Process

CLIENTS = 50
SECONDS = 6.0
# Seconds without a request: several times as long as a message takes to reach the model.
PAUSE = 0.03
# A port at which nothing listens.
NO_BROKER = "redis://127.0.0.1:1/0"
# Values by the name of the measurement.
Results = dict[str, float]


async def replies(parley: Revision) -> Results:
    """Return replies per second with a model latency of 0, and the CPU per reply in ms by process.

    Each client posts over one connection and receives the session's events over another.
    """
    meter = CPUMeter(parley.main.pids)
    load = await _chat_by_events(parley.main)
    used = {name.rstrip("0"): cpu for name, cpu in meter.read().items()}
    costs = {f"cpu_ms_per_reply_{name}": 1000 * cpu / load.total for name, cpu in used.items()}
    return {"replies_per_s": load.per_second, "cpu_ms_per_reply": _own(used, load.total), **costs}


async def long_poll_replies(parley: Revision) -> Results:
    """Return the same for clients that long-poll for the reply, over one connection each."""

    async def prepare(connection: Connection) -> Action:
        client = await ChatClient.create(connection)

        async def chat(_: Connection) -> None:
            await client.wait_for_reply(await client.post())

        return chat

    meter = CPUMeter(parley.main.pids)
    load = await chat_load.run([parley.main.web], CLIENTS, SECONDS, prepare)
    return {
        "replies_per_s_long_poll": load.per_second,
        "cpu_ms_per_reply_long_poll": _own(meter.read(), load.total),
    }


async def two_webs_two_workers(parley: Revision) -> Results:
    """Return the replies per second of two web processes and two workers."""
    with parley.installation("double", webs=2, workers=2) as double:
        load = await _chat_by_events(double)
    return {"replies_per_s_2_webs_2_workers": load.per_second}


async def _chat_by_events(installation: Installation) -> chat_load.Load:
    async with AsyncExitStack() as streams:

        async def prepare(connection: Connection) -> Action:
            client = await ChatClient.create(connection)
            stream_connection = await streams.enter_async_context(Connection(connection.url))
            stream = EventStream(stream_connection, client)

            async def chat(_: Connection) -> None:
                await stream.wait_for_reply(await client.post())

            return chat

        return await chat_load.run(installation.webs, CLIENTS, SECONDS, prepare)


def _own(used: dict[str, float], replies: int) -> float:
    """Return the CPU per reply in ms of all processes but the model."""
    own = sum(cpu for name, cpu in used.items() if name != "model")
    return 1000 * own / replies


async def fastapi_replies(server: Process, name: str) -> Results:
    """Return the replies per second of the FastAPI app, and its CPU per reply in ms."""
    body = {"content": chat_load.CONTENT}

    async def post(connection: Connection) -> None:
        response = await connection.request("POST", "/chat", body=body)
        assert response.status == 200, response

    async def prepare(_: Connection) -> Action:
        return post

    meter = CPUMeter({"server": server.pid})
    load = await chat_load.run([server.url], CLIENTS, SECONDS, prepare)
    return {
        f"replies_per_s_fastapi_{name}": load.per_second,
        f"cpu_ms_per_reply_fastapi_{name}": _own(meter.read(), load.total),
    }


async def thousand_sessions(parley: Revision, count: int = 1000) -> Results:
    """Return the time to answer 1,000 sessions that all post at once."""
    url = parley.main.web
    async with Connection(url) as connection:
        clients = [await ChatClient.create(connection) for _ in range(count)]
    started = time.perf_counter()
    groups = [clients[i::CLIENTS] for i in range(CLIENTS)]
    await asyncio.gather(*(_post_all(url, group) for group in groups))
    await asyncio.gather(*(_wait_for_all(url, group) for group in groups))
    return {"seconds_for_1000_sessions": time.perf_counter() - started}


async def _post_all(url: str, clients: list[ChatClient]) -> None:
    async with Connection(url) as connection:
        for client in clients:
            client.connection = connection
            await client.post("[[latency=0.5]] hello")


async def _wait_for_all(url: str, clients: list[ChatClient]) -> None:
    async with Connection(url) as connection:
        for client in clients:
            client.connection = connection
            await client.wait_for_reply("msg_2")


async def submit_to_model(parley: Revision) -> Results:
    """Return the time in ms from sending a POST until the model is called, on an idle machine."""
    times = await _submit_to_model(parley.main, 200)
    return percentiles("submit_to_model_ms", times[10:])


async def submit_without_broker(parley: Revision) -> Results:
    """Return the same without a broker: a sweeper finds the message."""
    with parley.installation("no-broker", env={"BROKER_URL": NO_BROKER}) as installation:
        times = await _submit_to_model(installation, 10)
    return {"submit_to_model_ms_p50_no_broker": median(times)}


async def _submit_to_model(installation: Installation, count: int) -> list[float]:
    """Return the times in ms.

    The client waits before it polls for the reply: on a machine with two cores, polling would take
    one away from the worker.
    """
    sent = []
    async with Connection(installation.web) as connection, Connection(installation.model) as model:
        client = await ChatClient.create(connection)
        assert (await model.request("POST", "/__reset__")).status == 200
        for _ in range(count):
            sent.append(time.time())
            reply_id = await client.post()
            await asyncio.sleep(PAUSE)
            await client.wait_for_reply(reply_id)
        response = await model.request("GET", f"/__calls__?limit={count}")
    calls: Any = response.json()["calls"]
    return [1000 * (call["received_at"] - at) for call, at in zip(calls, sent, strict=True)]


async def polls(parley: Revision) -> Results:
    """Return the polls per second of a web process, for changed and unchanged sessions."""
    url, session = parley.main.web, parley.create_session(20)
    path, token = f"/sessions/{session['id']}", session["token"]
    async with Connection(url) as connection:
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

    return {
        f"polls_per_s_{name}": (
            await chat_load.run([url], CLIENTS, SECONDS / 2, prepare)
        ).per_second
        for name, prepare in {"changed": changed, "unchanged": unchanged}.items()
    }


async def by_history(parley: Revision, lengths: tuple[int, ...] = (10, 1000, 10_000)) -> Results:
    """Return the median latency in ms of a POST and of a poll, by the length of the history."""
    results: Results = {}
    url = parley.main.web
    for length in lengths:
        session: dict[str, Any] = {"seq": 0, **parley.create_session(length)}
        async with Connection(url) as connection:
            client = ChatClient(connection, session)
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


async def memory(parley: Revision) -> Results:
    """Return the bytes in Redis per session of ten messages, and per message of a long one."""
    with Redis.from_url(parley.main.redis) as redis:
        return {
            "redis_bytes_per_session_of_10": _bytes_per_session(parley, redis, 10, count=100),
            "redis_bytes_per_message": _bytes_per_session(parley, redis, 1000, count=2) / 1000,
        }


def _bytes_per_session(parley: Revision, redis: Redis, messages: int, *, count: int) -> float:
    before = redis.info("memory")["used_memory_dataset"]
    for _ in range(count):
        parley.create_session(messages)
    used: int = redis.info("memory")["used_memory_dataset"] - before
    return used / count


def percentiles(name: str, values: list[float]) -> Results:
    """Return the median and the 99th percentile."""
    cuts = quantiles(values, n=100, method="inclusive")
    return {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98]}
