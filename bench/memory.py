"""Memory of one web process and one worker with thousands of clients: `python -m bench memory`.

The model has TLS. First all WebSockets are idle, then many get a slow reply at the same time. Then,
for BENCH_SECONDS (600), clients get one short reply after another, to find what grows.
"""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from bench.chat_load import CONTENT
from bench.cpu import resident_kib
from bench.measurements import Results
from bench.scale import create_stack, raise_file_limit, report, subscribe
from bench.servers import many_turns, tls_proxy
from bench.websocket_load import Subscriber
from chat.store import metrics
from tests.harness.documented_proxies import CERTIFICATE
from tests.harness.processes import Process

SECONDS = float(os.environ.get("BENCH_SECONDS", "600"))
# One address may use half of the connections of a process, which its open files limit.
SUBSCRIBERS = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 200)
TURNS = 2000
# A reply of 60 seconds, with an event per second. All start within 30.
SLOW = "[[tokens=60 rate=1]]"
START_SECONDS = 30.0
CLIENTS = 50
# The part of the time after which nothing may grow.
WARM_UP = 0.2


def sizes(when: str, web: Process, worker: Process) -> Results:
    """Return memory and open files of both processes."""
    return {
        f"{what}_{name}_{when}": value
        for name, process in (("web", web), ("worker", worker))
        for what, value in (
            ("mib", resident_kib(process.pid) / 1024),
            ("files", len(list(Path(f"/proc/{process.pid}/fd").iterdir()))),
        )
    }


async def run_turns(subscribers: list[Subscriber], worker: Process) -> Results:
    """Let all get a slow reply; return the most turns in flight, and the worker's most memory."""
    running, peak = 0, 0
    pause = START_SECONDS / len(subscribers)
    replies = asyncio.gather(
        *(chat_later(subscriber, number * pause) for number, subscriber in enumerate(subscribers))
    )
    while not replies.done():
        running = max(running, (await asyncio.to_thread(metrics.read)).running_turns)
        peak = max(peak, resident_kib(worker.pid))
        await asyncio.sleep(0.5)
    await replies
    return {"turns_in_flight": running, "mib_worker_with_turns": peak / 1024}


async def chat_later(subscriber: Subscriber, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await subscriber.chat(SLOW)


async def chat(subscribers: Iterator[Subscriber], until: float) -> int:
    """Let one after the other get a reply until a `time.monotonic()`; return how many did."""
    replies = 0
    while time.monotonic() < until:
        await next(subscribers).chat(CONTENT)
        replies += 1
    return replies


async def measure(web: Process, worker: Process) -> AsyncIterator[Results]:
    """Measure memory at the start, with WebSockets, with turns, and after many turns."""
    yield sizes("at_start", web, worker)
    subscribers = await subscribe([web.url], SUBSCRIBERS)
    yield sizes("with_sockets", web, worker)
    yield await run_turns(subscribers[:TURNS], worker)
    waiting = cycle(subscribers)
    now = time.monotonic()
    for part, when in ((WARM_UP, "after_warm_up"), (1.0, "at_end")):
        until = now + part * SECONDS
        counts = await asyncio.gather(*(chat(waiting, until) for _ in range(CLIENTS)))
        yield {f"replies_{when}": sum(counts), **sizes(when, web, worker)}
    for subscriber in subscribers:
        subscriber.close()


def main(directory: Path) -> None:
    raise_file_limit(SUBSCRIBERS)
    stack = create_stack(directory)
    with ExitStack() as running:
        running.enter_context(stack)
        proxy = running.enter_context(tls_proxy(directory, stack.model.url))
        ca = str(CERTIFICATE.with_name("ca.pem"))
        stack.env |= many_turns(directory, proxy.url, TURNS, verify=ca)
        stack.start()
        asyncio.run(report(measure(stack.web(), stack.worker())))
