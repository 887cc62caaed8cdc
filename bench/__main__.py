"""Measure everything on one machine in one run, and print one table.

What else runs on a shared machine makes it slower for minutes at a time. So the measurements are
made in rounds, one after the other in each; the median round counts, and the table shows the best
and the worst one, too.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import median

import orjson

from tests.harness import environment
from tests.harness.stack import Stack, port_of

HOME = tempfile.mkdtemp(prefix="parley-bench-")
environment.isolate(HOME)
os.environ["CHAT_MESSAGES_PER_MINUTE"] = os.environ["CHAT_SESSIONS_PER_MINUTE"] = "0"

# What follows reads the settings, which read the environment.
import django  # isort: skip  # noqa: E402

django.setup()

from bench import figures, push  # isort: skip  # noqa: E402
from bench.servers import passthrough  # isort: skip  # noqa: E402

KNOBS = {"CHAT_MESSAGES_PER_MINUTE": "0", "CHAT_SESSIONS_PER_MINUTE": "0"}
ROUNDS = 3
Rounds = dict[str, list[float]]
"""Each figure's values, one a round."""


async def measure(directory: Path) -> Rounds:
    """Start everything, measure one thing after the other, end everything."""
    stack = Stack(
        directory / "stack",
        env=KNOBS,
        redis_port=port_of(os.environ["REDIS_URL"]),
        appendonly=True,
        appendfsync="everysec",
        model_options=("--record", "--style", "echo"),
    )
    found: Rounds = defaultdict(list)
    try:
        stack.start()
        with (
            passthrough(directory, "httpx", stack.model.url) as httpx,
            passthrough(directory, "aiohttp", stack.model.url) as aiohttp,
        ):
            steps = (
                partial(figures.hop, stack),
                partial(figures.replies, stack),
                partial(figures.passed_through, httpx, "httpx"),
                partial(figures.passed_through, aiohttp, "aiohttp"),
                partial(figures.thousand_sessions, stack),
                partial(figures.polls, stack),
                partial(figures.by_history, stack),
            )
            for step in ROUNDS * steps:
                note(found, await step())
        note(found, figures.bytes_per_message())
    finally:
        stack.shut_down()
    note(found, await push.figures(directory))
    return found


def note(rounds: Rounds, found: figures.Figures) -> None:
    """Add a round's figures."""
    for name, value in found.items():
        rounds[name].append(value)


def best_first(name: str, values: list[float]) -> list[float]:
    """Sort a figure's values: rates are to be high, all else is to be low."""
    return sorted(values, reverse="_per_s" in name)


def main() -> None:
    """Print the table; write it as JSON where BENCH_JSON says."""
    started = time.monotonic()
    try:
        found = asyncio.run(measure(Path(HOME)))
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    print(f"{'':36} {'median':>10} {'best':>10} {'worst':>10}")
    for name, values in found.items():
        ordered = best_first(name, values)
        print(f"{name:36} {median(values):10.2f} {ordered[0]:10.2f} {ordered[-1]:10.2f}")
    print(f"{'took, s':36} {time.monotonic() - started:10.2f}")
    if file := os.environ.get("BENCH_JSON"):
        medians = {name: median(values) for name, values in found.items()}
        Path(file).write_bytes(orjson.dumps(medians, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
