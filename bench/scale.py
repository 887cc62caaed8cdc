"""What sessions, subscribers and turns cost, with many of each: `python -m bench scale`.

Two web processes behind HAProxy, three workers, one Redis. BENCH_SESSIONS sets the number of
sessions (100,000), BENCH_SUBSCRIBERS that of WebSockets (10,000). It prints CPU and bytes, and the
latencies of one client at rest: all processes share the machine with the load. With a million
sessions, it takes half an hour, most of it to write them.
"""

import asyncio
import os
import resource
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from bench import history, turns
from bench.cpu import CPUMeter, resident_kib
from bench.host import NO_FORK
from bench.measurements import Results
from bench.report import ENV
from bench.servers import haproxy, many_turns
from bench.streaming import create_sessions
from bench.websocket_load import Subscriber, WebSocket
from chat.store import keys
from chat.store.client import execute_command, execute_commands
from chat.store.routing import Command
from tests.harness.stack import Stack, port_of

SESSIONS = int(os.environ.get("BENCH_SESSIONS", "100000"))
SUBSCRIBERS = int(os.environ.get("BENCH_SUBSCRIBERS", "10000"))
# Messages of a session: a question of 80 characters and a reply of 200.
MESSAGES = 2
# Open files of one process that are not WebSockets.
OTHER_FILES = 2000
# Subscribers that get a reply at the same time, with an event per second.
STREAMS = 2000
SLOW = "[[tokens=20 rate=1]]"
# Connections that create sessions.
PARALLEL = 8
# Threads that copy sessions: while Redis executes a batch, another one is packed.
WRITERS = 3
# Sessions per round trip.
BATCH_SIZE = 500
# Sessions between two lines that say how many there are.
PROGRESS = 100_000
# Seconds in which nothing happens while idle processes are measured: twice the interval of pings
# and of checks in Redis.
IDLE_SECONDS = 30.0
# An odd number: its multiples are different session ids, in all partitions.
SPREAD = 0x9E3779B97F4A7C15F39CC061
# The keys of a session that have the same content in each.
COPIED = ("session", "messages", "log", "idempotency")


def fill(sessions: int) -> None:
    """Write this number of sessions: one by the scripts, and copies of it."""
    _, caller = history.create_session(MESSAGES)
    own = keys.for_session(caller.session_id)._asdict()
    dumps = {name: execute_command("DUMP", own[name]) for name in COPIED}
    ttl = int(execute_command("PTTL", own["session"]) or 0)
    field = execute_command("HGET", own["search_fields"], caller.session_id)

    def write(first: int) -> None:
        numbers = range(first, min(first + BATCH_SIZE, sessions))
        ids = [f"ses_{number * SPREAD % 2**96:024x}" for number in numbers]
        now = round(1000 * time.time())
        execute_commands(
            [command for each in ids for command in _copy(each, dumps, ttl, now, field)]
        )
        if numbers.stop % PROGRESS < BATCH_SIZE:
            print(f"{numbers.stop:,} of {sessions:,} sessions", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(WRITERS) as threads:
        deque(threads.map(write, range(1, sessions, BATCH_SIZE)), maxlen=0)


def _copy(
    session_id: str, dumps: Mapping[str, bytes | None], ttl: int, now: int, field: bytes | None
) -> Iterator[Command]:
    own = keys.for_session(session_id)
    for name, dump in dumps.items():
        if dump is not None:
            yield ("RESTORE", getattr(own, name), ttl, dump)
    yield ("ZADD", own.due, now + ttl, session_id)
    yield ("ZADD", own.by_activity, now, session_id)
    yield ("HINCRBY", own.counts, "sessions", 1)
    if field is not None:
        yield ("HSET", own.search_fields, session_id, field)
        yield ("SADD", own.search_index, field + b"\n" + session_id.encode())


def used_memory() -> int:
    """Return the bytes that Redis has allocated."""
    text = execute_command("INFO", "memory") or b""
    return int(text.partition(b"used_memory:")[2].split()[0])


async def idle_cpu(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the ms of CPU per second of each process while no client sends anything."""
    meter, started = CPUMeter(pids), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - started
    return {name: 1000 * used / seconds for name, used in meter.read().items()}


async def subscribe(urls: Sequence[str], number: int) -> list[Subscriber]:
    """Open WebSockets, each to a new session, evenly through these proxies."""
    parts = [(urls[i % len(urls)], len(range(i, number, PARALLEL))) for i in range(PARALLEL)]
    created = chain(*await asyncio.gather(*(create_sessions(*part) for part in parts)))
    return [Subscriber(await WebSocket.open(session_url)) for session_url in created]


async def stream(
    subscribers: Sequence[Subscriber], pids: Mapping[str, int], idle: Mapping[str, float]
) -> Results:
    """Let all get a reply at the same time; return the CPU per event by process.

    idle: ms of CPU per second of each process without replies, which are subtracted.
    """
    before = sum(subscriber.events for subscriber in subscribers)
    meter, started = CPUMeter(pids), time.monotonic()
    await asyncio.gather(*(subscriber.chat(SLOW) for subscriber in subscribers))
    used, seconds = meter.read(), time.monotonic() - started
    events = sum(subscriber.events for subscriber in subscribers) - before
    costs = {
        f"cpu_us_per_event_{name}": (1e6 * cpu - 1e3 * idle[name] * seconds) / events
        for name, cpu in used.items()
    }
    return {"streams": len(subscribers), "events_per_s": events / seconds, **costs}


async def latencies(url: str, when: str) -> Results:
    """Return the latencies of one client; compare them with those of the same run only."""
    found = await turns.latencies(url)
    return {f"{name}_{when}": value for name, value in found.items()}


async def measure(urls: Sequence[str], pids: Mapping[str, int]) -> AsyncIterator[Results]:
    """Measure an empty deployment, fill it, and measure it with turns and subscribers.

    urls: of the proxies.
    """
    await turns.latencies(urls[0])  # the first turns of a process take longer
    idle = await idle_cpu(pids)
    yield {f"empty_cpu_ms_per_s_{name}": cpu for name, cpu in idle.items()}
    yield await latencies(urls[0], "empty")
    before = used_memory()
    await asyncio.to_thread(fill, SESSIONS)
    yield {"sessions": SESSIONS, "redis_bytes_per_session": (used_memory() - before) / SESSIONS}
    idle = await idle_cpu(pids)
    yield {f"filled_cpu_ms_per_s_{name}": cpu for name, cpu in idle.items()}
    yield await latencies(urls[0], "filled")
    for load in (turns.SHORT, turns.STREAMED):
        yield await turns.cost(urls[0], pids, load)

    webs = [pid for name, pid in pids.items() if name.startswith("web")]
    memory = sum(map(resident_kib, webs))
    subscribers = await subscribe(urls, SUBSCRIBERS)
    kib = (sum(map(resident_kib, webs)) - memory) / SUBSCRIBERS
    yield {"subscribers": SUBSCRIBERS, "web_kib_per_subscriber": kib}
    listening = await idle_cpu(pids)
    yield {
        f"cpu_us_per_s_and_subscriber_{name}": 1000 * (cpu - idle[name]) / SUBSCRIBERS
        for name, cpu in listening.items()
    }
    yield await latencies(urls[0], "with_subscribers")
    yield await stream(subscribers[:STREAMS], pids, listening)
    for subscriber in subscribers:
        subscriber.close()
    yield {f"resident_mib_{name}": resident_kib(pid) / 1024 for name, pid in pids.items()}


async def report(measured: AsyncIterator[Results]) -> None:
    """Print one line for each figure, as soon as it is known."""
    async for results in measured:
        for name, value in results.items():
            print(f"{name:42} {value:12,.2f}", flush=True)


def create_stack(directory: Path) -> Stack:
    """Return an installation whose store is that of this process; its model repeats the message."""
    return Stack(
        directory / "stack",
        env=ENV | NO_FORK,
        redis_port=port_of(os.environ["REDIS_URL"]),
        model_options=("--style", "echo"),
    )


def raise_file_limit(subscribers: int) -> int:
    """Raise the limit of open files of this process, and return it.

    Raises:
        SystemExit: it cannot be raised far enough.
    """
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = subscribers + OTHER_FILES
    if limit < needed:
        sys.exit(
            f"{subscribers:,} subscribers need {needed:,} open files: raise `ulimit -Hn`, which is"
            f" {limit:,}, or lower BENCH_SUBSCRIBERS."
        )
    limit = min(limit, 4 * needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return limit


def main(directory: Path) -> None:
    started = time.monotonic()
    max_files = raise_file_limit(SUBSCRIBERS)
    stack = create_stack(directory)
    with ExitStack() as running:
        running.enter_context(stack)
        stack.env |= many_turns(directory, stack.model.url, STREAMS // 2)
        stack.start(webs=2, workers=3)
        webs = [stack.web(number) for number in (0, 1)]
        # A proxy needs two open files for each connection.
        proxies = [
            running.enter_context(
                haproxy(
                    directory,
                    [web.url for web in webs],
                    connections=max_files // 2 - 100,
                    name=f"haproxy{number}",
                )
            )
            for number in range(-(-2 * SUBSCRIBERS // (max_files - OTHER_FILES)))
        ]
        pids = {"redis": stack.redis.pid}
        pids |= {f"haproxy{number}": proxy.pid for number, proxy in enumerate(proxies)}
        pids |= {f"web{number}": web.pid for number, web in enumerate(webs)}
        pids |= {f"worker{number}": stack.worker(number).pid for number in range(3)}
        asyncio.run(report(measure([proxy.url for proxy in proxies], pids)))
    print(f"{'total time, s':42} {time.monotonic() - started:12,.2f}")
