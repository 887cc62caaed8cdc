"""How soon clients receive a model's deltas, the CPU that takes, and the memory of idle WebSockets.

The model, Parley and a server of bare ASGI WebSockets are separate processes of one run.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

from redis import Redis

from bench.cpu import CPUMeter, resident_kib
from bench.http_load import Connection
from bench.measurements import Results
from bench.revisions import Installation, Revision
from bench.servers import ROOT
from bench.websocket_load import WebSocket
from project.runner.healthcheck import free_port, is_healthy
from project.runner.process import Program
from tests.harness.processes import Process

STREAMS = 200
# Deltas per second and stream.
RATE = 20
# Length of a reply.
SECONDS = 10
# All streams start within this number of seconds, one after the other.
START_SECONDS = 2.0
IDLE_SOCKETS = 1000
# As long as the interval in which the web process checks each subscriber in Redis.
IDLE_SECONDS = 15.0
# WebSockets that are opened before memory is measured, because the first ones load shared code.
WARM_UP_SOCKETS = 50
TIMESTAMP = re.compile(rb"\d{10}\.\d{4}")


async def measure(parley: Revision) -> Results:
    """Measure delays, CPU per event, and memory and CPU of idle subscribers."""
    model_env = {"RATE": str(RATE), "COUNT": str(RATE * SECONDS)}
    with run_server("bench.timestamp_model:app", **model_env) as model:
        env = {"MODEL_URL": f"{model.url}/v1"}
        with parley.installation("streaming", env=env) as installation:
            return await streams(installation) | await idle(installation)


async def measure_bare() -> Results:
    """Measure the CPU per event and the memory of bare WebSockets."""
    with run_server("bench.websocket_load:app", RATE=str(RATE)) as bare:
        return await bare_streams(bare) | await bare_idle(bare)


async def streams(installation: Installation) -> Results:
    """Return the delays and the CPU of concurrent streams."""
    urls = await create_sessions(installation.web, STREAMS)
    sockets = [await WebSocket.open(url) for url in urls]
    meter = CPUMeter(installation.pids)
    start_delays = (START_SECONDS * number / STREAMS for number in range(STREAMS))
    received = await asyncio.gather(*map(receive_reply, sockets, start_delays))
    used = meter.read()
    for socket in sockets:
        socket.close()
    events = sum(subscriber.events for subscriber in received)
    costs = {
        f"cpu_us_per_event_{name.rstrip('0')}": 1e6 * cpu / events
        for name, cpu in used.items()
        if name != "model"
    }
    return delays(received) | costs


@dataclass(slots=True)
class Received:
    """What one WebSocket received."""

    events: int = 0
    # When each delta was sent and received, in seconds.
    deltas: list[tuple[float, float]] = field(default_factory=list)


async def receive_reply(socket: WebSocket, delay: float) -> Received:
    """Post a message after `delay` seconds, and receive the reply."""
    await asyncio.sleep(delay)
    socket.send(b'{"type":"message.create","content":"What time is it?"}')
    received = Received()
    async for frame in socket.receive():
        now = time.time()
        received.events += 1
        if frame.startswith(b'{"type":"message.delta"'):
            text = frame.partition(b'"delta":')[2]
            received.deltas += [(float(sent), now) for sent in TIMESTAMP.findall(text)]
        elif frame.startswith(b'{"type":"message.completed"'):
            break
    assert len(received.deltas) == RATE * SECONDS, "a delta is missing or came twice"
    return received


def delays(received: list[Received]) -> Results:
    """Return the delays in ms of deltas that were sent while all streams ran, and the start time.

    Without such deltas, which means that the machine is too slow, return only the start time.
    """
    starts = [subscriber.deltas[0][0] for subscriber in received]
    since, until = max(starts), min(subscriber.deltas[-1][0] for subscriber in received)
    start_time = {"streams_start_within_s": since - min(starts)}
    if since >= until:
        return start_time
    values = [
        1000 * (received_at - sent_at)
        for subscriber in received
        for sent_at, received_at in subscriber.deltas
        if since <= sent_at <= until
    ]
    cuts = quantiles(values, n=100)
    return start_time | {"delta_ms_p50": cuts[49], "delta_ms_p99": cuts[98]}


async def idle(installation: Installation) -> Results:
    """Return the memory of the web process per idle WebSocket, and its cost in Redis."""
    urls = await create_sessions(installation.web, WARM_UP_SOCKETS + IDLE_SOCKETS)
    with Redis.from_url(installation.redis) as redis:
        before = await idle_redis_cpu(redis)
        async with idle_sockets(installation.pids["web0"], urls) as kib:
            used = await idle_redis_cpu(redis) - before
    cost = 1e6 * used / IDLE_SECONDS / len(urls)
    return {"idle_websocket_kib": kib, "idle_subscriber_redis_us_per_s": max(0.0, cost)}


async def idle_redis_cpu(redis: Redis) -> float:
    """Return the seconds of CPU that an idle Redis uses during `IDLE_SECONDS`."""

    def used() -> float:
        cpu = redis.info("cpu")
        return float(cpu["used_cpu_sys"] + cpu["used_cpu_user"])

    before = used()
    await asyncio.sleep(IDLE_SECONDS)
    return used() - before


async def bare_streams(server: Process) -> Results:
    """Return the CPU per frame of a bare WebSocket."""
    sockets = [await WebSocket.open(f"{server.url}/stream") for _ in range(STREAMS)]
    meter = CPUMeter({"bare": server.pid})
    counts = await asyncio.gather(*map(count_frames, sockets))
    return {"cpu_us_per_event_bare": 1e6 * meter.read()["bare"] / sum(counts)}


async def count_frames(socket: WebSocket) -> int:
    count = 0
    end = time.monotonic() + SECONDS / 2
    async for _ in socket.receive():
        count += 1
        if time.monotonic() > end:
            break
    return count


async def bare_idle(server: Process) -> Results:
    """Return the memory of a bare idle WebSocket."""
    urls = [f"{server.url}/idle"] * (WARM_UP_SOCKETS + IDLE_SOCKETS)
    async with idle_sockets(server.pid, urls) as kib:
        return {"idle_websocket_kib_bare": kib}


@asynccontextmanager
async def idle_sockets(pid: int, urls: list[str]) -> AsyncIterator[float]:
    """Open WebSockets; yield the KiB of memory that each one adds to a process."""
    sockets = [await WebSocket.open(url) for url in urls[:WARM_UP_SOCKETS]]
    await asyncio.sleep(2)
    before = resident_kib(pid)
    sockets += [await WebSocket.open(url) for url in urls[WARM_UP_SOCKETS:]]
    await asyncio.sleep(2)
    yield (resident_kib(pid) - before) / (len(urls) - WARM_UP_SOCKETS)
    for socket in sockets:
        socket.close()


async def create_sessions(url: str, count: int) -> list[str]:
    """Create sessions; return the URLs of their WebSockets."""
    async with Connection(url) as connection:
        sessions: list[Any] = [
            (await connection.request("POST", "/sessions", body={})).json() for _ in range(count)
        ]
    return [f"{url}/sessions/{session['id']}/ws?token={session['token']}" for session in sessions]


@contextmanager
def run_server(app: str, **env: str) -> Iterator[Process]:
    """Run an ASGI application with the options of Parley's web process."""
    port = free_port()
    name = app.partition(":")[0]
    program = Program(
        name=name,
        argv=(
            *(sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT), app),
            *("--port", str(port), "--no-access-log", "--log-level", "warning"),
            *("--lifespan", "off", "--ws-per-message-deflate", "false"),
        ),
        env={**os.environ, **env},
        is_ready=partial(is_healthy, f"http://127.0.0.1:{port}/"),
        stop_timeout=2.0,
    )
    directory = Path(os.environ["PARLEY_HOME"])
    process = Process(program, directory / f"{name}.log", url=f"http://127.0.0.1:{port}")
    try:
        yield process.start()
    finally:
        process.ensure_stopped()
