"""Measure everything on one machine in one run, and print one table."""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

import orjson

from tests.harness import environment
from tests.harness.stack import Stack, port_of

HOME = tempfile.mkdtemp(prefix="parley-bench-")
environment.adopt(HOME)
os.environ["CHAT_MESSAGES_PER_MINUTE"] = os.environ["CHAT_SESSIONS_PER_MINUTE"] = "0"

# What follows reads the settings, which read the environment.
import django  # isort: skip  # noqa: E402

django.setup()

from bench import figures, push  # isort: skip  # noqa: E402
from bench.servers import passthrough  # isort: skip  # noqa: E402

KNOBS = {"CHAT_MESSAGES_PER_MINUTE": "0", "CHAT_SESSIONS_PER_MINUTE": "0"}


async def measure(directory: Path) -> figures.Figures:
    """Start everything, measure one thing after the other, end everything."""
    found: figures.Figures = {}
    stack = Stack(
        directory / "stack",
        env=KNOBS,
        redis_port=port_of(os.environ["REDIS_URL"]),
        appendonly=True,
        appendfsync="everysec",
        model_options=("--record", "--style", "echo"),
    )
    try:
        stack.start()
        for step in (figures.hop, figures.replies, figures.thousand_sessions):
            found |= await step(stack)
        found |= await figures.polls(stack)
        found |= await figures.by_history(stack)
        found |= figures.bytes_per_message()
        stack.worker().end()
        stack.web().end()
        for client in ("httpx", "aiohttp"):
            with passthrough(directory, client, stack.model.url) as server:
                found |= await figures.passed_through(server, client)
    finally:
        stack.end()
    return found | await push.figures(directory)


def main() -> None:
    """Print the table; write it as JSON where BENCH_JSON says."""
    started = time.monotonic()
    try:
        found = asyncio.run(measure(Path(HOME)))
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    for name, value in found.items():
        print(f"{name:36} {value:10.2f}")
    print(f"{'took, s':36} {time.monotonic() - started:10.2f}")
    if file := os.environ.get("BENCH_JSON"):
        Path(file).write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
