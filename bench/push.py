"""How soon a model's delta is in the client's hands, what that costs, and what an idle socket does.

The model, Parley and bare ASGI sockets are processes of their own; all are measured in one run.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

from bench.cpu import Meter, resident_kib
from bench.servers import ROOT
from bench.sockets import Socket
from bench.wire import Line
from project.runner.healthcheck import free_port, is_healthy
from project.runner.process import Program
from tests.harness.processes import Process
from tests.harness.stack import Stack

STREAMS = 200
RATE = 20
"""Deltas a second and stream."""
SECONDS = 10
"""That a reply takes."""
START = 2.0
"""Seconds within which all streams begin, one after the other."""
IDLE = 1000
WARM = 50
"""Sockets that are opened before memory is measured: the first ones load what all share."""
WHEN = re.compile(rb"\d{10}\.\d{4}")
KNOBS = {"CHAT_SESSIONS_PER_MINUTE": "0", "CHAT_MESSAGES_PER_MINUTE": "0"}

Figures = dict[str, float]


async def figures(directory: Path) -> Figures:
    """Return delays, CPU per delivered event, memory per idle socket, and what bare ones take."""
    ticks = {"RATE": str(RATE), "COUNT": str(RATE * SECONDS)}
    with server(directory, "bench.ticking:app", **ticks) as model:
        stack = Stack(directory / "push", env={**KNOBS, "MODEL_URL": f"{model.url}/v1"})
        try:
            stack.redis.start()
            for process in (stack.web(), stack.worker()):
                process.start()
            found = await streaming(stack) | await idle(stack)
        finally:
            stack.shut_down()
    with server(directory, "bench.sockets:app", RATE=str(RATE)) as bare:
        return found | await bare_streaming(bare) | await bare_idle(bare)


async def streaming(stack: Stack) -> Figures:
    """Return the delays and the costs of streams that are all followed at once."""
    urls = await sessions(stack.web().url, STREAMS)
    sockets = [await Socket.open(url) for url in urls]
    pids = {"web": stack.web().pid, "worker": stack.worker().pid, "redis": stack.redis.pid}
    meter = Meter(pids)
    begins = (START * number / STREAMS for number in range(STREAMS))
    followed = await asyncio.gather(*map(follow, sockets, begins))
    used = meter.read()
    for socket in sockets:
        socket.close()
    events = sum(each.events for each in followed)
    costs = {f"push_cpu_us_per_event_{name}": 1e6 * cpu / events for name, cpu in used.items()}
    return delays(followed) | costs


@dataclass(slots=True)
class Followed:
    """What came over one socket."""

    events: int = 0
    deltas: list[tuple[float, float]] = field(default_factory=list)
    """When each was sent and when it was heard; seconds."""


async def follow(socket: Socket, begin: float) -> Followed:
    """Ask for a reply after `begin` seconds; return how it came."""
    await asyncio.sleep(begin)
    socket.say(b'{"type":"message.create","content":"What time is it?"}')
    found = Followed()
    async for frame in socket.hear():
        now = time.time()
        found.events += 1
        if frame.startswith(b'{"type":"message.delta"'):
            said = frame.partition(b'"delta":')[2]
            found.deltas += [(float(sent), now) for sent in WHEN.findall(said)]
        elif frame.startswith(b'{"type":"message.completed"'):
            break
    assert len(found.deltas) == RATE * SECONDS, "a delta is missing, or came twice"
    return found


def delays(followed: list[Followed]) -> Figures:
    """Return how long deltas took that were sent while all streams ran, ms, and how long it was
    until they did, s; only this if they never did, which is a sign of too slow a machine.
    """
    begins = [each.deltas[0][0] for each in followed]
    since, until = max(begins), min(each.deltas[-1][0] for each in followed)
    spread = {"streams_begin_within_s": since - min(begins)}
    if since >= until:
        return spread
    took = [
        1000 * (heard - sent)
        for each in followed
        for sent, heard in each.deltas
        if since <= sent <= until
    ]
    cuts = quantiles(took, n=100)
    return spread | {"delta_ms_p50": cuts[49], "delta_ms_p99": cuts[98]}


async def idle(stack: Stack) -> Figures:
    """Return what a socket takes of the web process while nothing happens."""
    urls = await sessions(stack.web().url, WARM + IDLE)
    return {"idle_socket_kib": await memory(stack.web().pid, urls)}


async def bare_streaming(server: Process) -> Figures:
    """Return what one frame costs a bare socket."""
    sockets = [await Socket.open(f"{server.url}/ticking") for _ in range(STREAMS)]
    meter = Meter({"bare": server.pid})
    heard = await asyncio.gather(*(count(socket) for socket in sockets))
    used = meter.read()["bare"]
    return {"push_cpu_us_per_event_bare": 1e6 * used / sum(heard)}


async def count(socket: Socket) -> int:
    """Return how many frames come within the time."""
    heard = 0
    until = time.monotonic() + SECONDS / 2
    async for _ in socket.hear():
        heard += 1
        if time.monotonic() > until:
            break
    return heard


async def bare_idle(server: Process) -> Figures:
    """Return what a bare socket takes while nothing happens."""
    urls = [f"{server.url}/idle"] * (WARM + IDLE)
    return {"idle_socket_kib_bare": await memory(server.pid, urls)}


async def memory(pid: int, urls: list[str]) -> float:
    """Return the KiB that each socket adds to a process."""
    sockets = [await Socket.open(url) for url in urls[:WARM]]
    await asyncio.sleep(2)
    before = resident_kib(pid)
    sockets += [await Socket.open(url) for url in urls[WARM:]]
    await asyncio.sleep(2)
    taken = resident_kib(pid) - before
    for socket in sockets:
        socket.close()
    return taken / (len(urls) - WARM)


async def sessions(url: str, many: int) -> list[str]:
    """Open sessions; return the URLs of their sockets."""
    async with Line(url) as line:
        opened: list[Any] = [
            (await line.ask("POST", "/sessions", body={})).json() for _ in range(many)
        ]
    return [f"{url}/sessions/{each['id']}/ws?token={each['token']}" for each in opened]


@contextmanager
def server(directory: Path, app: str, **env: str) -> Iterator[Process]:
    """Run an ASGI application as Parley's web process is run."""
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
    process = Process(program, directory / f"{name}.log", url=f"http://127.0.0.1:{port}")
    try:
        yield process.start()
    finally:
        process.ensure_stopped()
