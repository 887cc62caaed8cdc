"""`manage.py endsessions` among 100,000 sessions, next to a client: `python -m bench end_sessions`.

BENCH_SESSIONS sets another number of sessions. It prints what the command takes for a third of
them, by an index and without it, and how long a client of another address waits.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from bench import admin
from bench.measurements import percentiles
from chat.accounts import subjects
from chat.conversation import session_search
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import execute_command, execute_commands
from chat.store.search.session_filter import SessionFilter
from tests.harness.stack import Stack, port_of
from tests.integration.api.client import APIClient
from tests.integration.server.attacks import HealthyClient

# Seconds that the client is measured without the command.
QUIET = 10.0
# us from which Redis remembers a command.
SLOW = 500
FILTERS = {
    "address": {"address": admin.address_of(admin.SESSIONS // 2)},
    "network with all": {"address": "10.0.0.0/8"},
    "key with all": {"key": admin.KEY_ID},
    "tenant with all": {"tenant": "shop"},
    "tenant and network": {"tenant": "shop", "address": "10.0.0.0/17"},
    "user with 1,000": {"user": admin.USER},
}


def longest_call() -> float:
    """Return the longest time in ms that a command has blocked Redis since the last reset."""
    entries = execute_command("SLOWLOG", "GET", 128)
    return max((entry[2] / 1000 for entry in entries), default=0.0)


def end_sessions(stack: Stack, network: str) -> str:
    """Run the command; return its output."""
    command = [sys.executable, "manage.py", "endsessions", network]
    result = subprocess.run(command, env=stack.env, check=True, capture_output=True, text=True)  # noqa: S603
    return result.stdout.strip()


def measure(stack: Stack, owner: APIClient, network: str) -> None:
    with HealthyClient(owner, pause=0.02) as quiet:
        time.sleep(QUIET)
    execute_command("SLOWLOG", "RESET")
    started = time.perf_counter()
    with HealthyClient(owner, pause=0.02) as client:
        output = end_sessions(stack, network)
    seconds = time.perf_counter() - started
    memory = getrusage(RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{output} {seconds:.1f} s, {memory} MiB; longest call {longest_call():.1f} ms")
    for name, each in (("without", quiet), ("next to", client)):
        values = percentiles("ms", [1000 * value for value in each.times])
        print(f"  a client {name} it: p50 {values['ms_p50']:.1f}, p99 {values['ms_p99']:.1f} ms, "
              f"{len(each.failures)} failures of {len(each.times)} polls")  # fmt: skip


def print_filters() -> None:
    """Print how long the admin's filters by opener take."""
    for name, fields in FILTERS.items():
        session_filter = SessionFilter(openers=subjects.openers(**fields))
        times = []
        for _ in range(5):
            started = time.perf_counter()
            found = session_search.search(session_filter)
            found.page(offset=0, limit=50)
            times.append(1000 * (time.perf_counter() - started))
        print(f"filter by {name}: {len(found):,} sessions, {sorted(times)[2]:.0f} ms")


def main(directory: Path) -> None:
    """Fill Redis, and print one line per measurement."""
    stack = Stack(directory / "stack", redis_port=port_of(os.environ["REDIS_URL"]))
    try:
        stack.redis.start()
        stack.web().start()
        admin.fill()
        execute_command("CONFIG", "SET", "slowlog-log-slower-than", SLOW)
        owner = APIClient(stack.web().url).open_session()
        execute_command("SLOWLOG", "RESET")
        print_filters()
        print(f"longest call {longest_call():.1f} ms")
        half = admin.address_of(admin.SESSIONS // 2)
        measure(stack, owner, f"{half}/17")
        partitions = range(chat_settings.PARTITIONS)
        # As an earlier version has left them: all sessions are read.
        execute_commands(
            [("ZREMRANGEBYLEX", keys.labels(each), "[ip:", "(ip;") for each in partitions]
        )
        measure(stack, owner, "10.0.0.0/17")
    finally:
        stack.shut_down()
