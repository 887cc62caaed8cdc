"""Run all measurements on one machine, and print one table.

Other load on a shared machine slows it down for minutes at a time. So the measurements run in
rounds, one after the other in each. The table shows the median, the best and the worst round.
"""

import asyncio
import os
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import median

import orjson

from bench import measurements, streaming
from bench.measurements import Results
from bench.servers import fastapi_server
from tests.harness.stack import Stack, port_of

ENV = {
    "CHAT_MESSAGES_PER_MINUTE": "0",
    "CHAT_SESSIONS_PER_MINUTE": "0",
    "CHAT_MAX_SESSIONS_PER_ADDRESS": "0",
    "CHAT_MAX_BYTES_PER_ADDRESS": "0",
    "CHAT_READS_PER_MINUTE": "0",
    "CHAT_ADDRESS_READS_PER_MINUTE": "0",
    "CHAT_MAX_CONNECTIONS": "100000",
    "CHAT_MAX_CONNECTIONS_PER_ADDRESS": "50000",
}
ROUNDS = 3
# The values of each measurement, one per round.
Rounds = dict[str, list[float]]


async def run(directory: Path) -> Rounds:
    """Start all servers, run all measurements, and stop the servers."""
    stack = Stack(
        directory / "stack",
        env=ENV,
        redis_port=port_of(os.environ["REDIS_URL"]),
        appendonly=True,
        appendfsync="everysec",
        model_options=("--record", "--style", "echo"),
    )
    rounds: Rounds = defaultdict(list)
    try:
        stack.start()
        with (
            fastapi_server(directory, "httpx", stack.model.url) as httpx,
            fastapi_server(directory, "aiohttp", stack.model.url) as aiohttp,
        ):
            steps = (
                partial(measurements.submit_to_model, stack),
                partial(measurements.replies, stack),
                partial(measurements.fastapi_replies, httpx, "httpx"),
                partial(measurements.fastapi_replies, aiohttp, "aiohttp"),
                partial(measurements.thousand_sessions, stack),
                partial(measurements.polls, stack),
                partial(measurements.by_history, stack),
            )
            for step in ROUNDS * steps:
                add(rounds, await step())
        add(rounds, measurements.bytes_per_message())
    finally:
        stack.shut_down()
    add(rounds, await streaming.measure(directory))
    return rounds


def add(rounds: Rounds, results: Results) -> None:
    for name, value in results.items():
        rounds[name].append(value)


def best_first(name: str, values: list[float]) -> list[float]:
    """Sort the values of a measurement: high rates are good, and low values of all others."""
    return sorted(values, reverse="_per_s" in name)


def main(directory: Path) -> None:
    """Print the table; with BENCH_JSON=file also write the medians as JSON."""
    started = time.monotonic()
    rounds = asyncio.run(run(directory))
    print(f"{'':36} {'median':>10} {'best':>10} {'worst':>10}")
    for name, values in rounds.items():
        ordered = best_first(name, values)
        print(f"{name:36} {median(values):10.2f} {ordered[0]:10.2f} {ordered[-1]:10.2f}")
    print(f"{'total time, s':36} {time.monotonic() - started:10.2f}")
    if file := os.environ.get("BENCH_JSON"):
        medians = {name: median(values) for name, values in rounds.items()}
        Path(file).write_bytes(orjson.dumps(medians, option=orjson.OPT_INDENT_2))
