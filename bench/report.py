"""Run all measurements on one machine, and print one table.

Other load on a shared machine slows it down for minutes at a time. So the measurements run in
rounds, one after the other in each. The table shows the median, the best and the worst round.

With `--against REV`, each measurement runs with this revision and with the other one, by turns. The
table shows the medians of both, and their ratio.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import orjson

from bench import measurements, streaming
from bench.measurements import Results
from bench.revisions import Revision, StartError, checkout
from bench.servers import ROOT, fastapi_server

# The values of each measurement, one per round.
Rounds = dict[str, list[float]]
Step = Callable[[Revision], Awaitable[Results]]
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
# Repeated in each round.
STEPS: dict[str, Step] = {
    "hop": measurements.submit_to_model,
    "replies": measurements.replies,
    "long-poll": measurements.long_poll_replies,
    "double": measurements.two_webs_two_workers,
    "thousand": measurements.thousand_sessions,
    "polls": measurements.polls,
    "history": measurements.by_history,
}
# Run once.
LAST_STEPS: dict[str, Step] = {
    "no-broker": measurements.submit_without_broker,
    "memory": measurements.memory,
    "streaming": streaming.measure,
}
# Servers to compare with.
OTHERS = ("fastapi", "bare")
NAMES = (*STEPS, *LAST_STEPS, *OTHERS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("options of the report")
    group.add_argument("--against", metavar="REV", help="a revision to compare with, by turns")
    group.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME",
                       help=f"measurements to run: {' '.join(NAMES)}")  # fmt: skip
    group.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")


def main(arguments: argparse.Namespace) -> None:
    """Print the table; with BENCH_JSON=file also write the medians as JSON."""
    started = time.monotonic()
    with open_revisions(arguments.against) as revisions:
        report = Report(revisions, frozenset(arguments.only))
        asyncio.run(report.run(arguments.rounds))
    print_table(report.results)
    print(f"{'total time, s':36} {time.monotonic() - started:10.2f}")
    if file := os.environ.get("BENCH_JSON"):
        medians = {name: median(values) for name, values in report.results[0].items()}
        Path(file).write_bytes(orjson.dumps(medians, option=orjson.OPT_INDENT_2))


class Report:
    """The results of each revision. Those of servers to compare with are the first one's."""

    def __init__(self, revisions: Sequence[Revision], names: frozenset[str]) -> None:
        self._revisions, self._names = revisions, names
        self.results: list[Rounds] = [defaultdict(list) for _ in revisions]

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            await self._run_steps(STEPS)
            if "fastapi" in self._names:
                await self._run_fastapi()
        await self._run_steps(LAST_STEPS)
        if "bare" in self._names:
            add(self.results[0], await streaming.measure_bare())

    async def _run_steps(self, steps: dict[str, Step]) -> None:
        for name, step in steps.items():
            if name in self._names:
                for number, revision in enumerate(self._revisions):
                    try:
                        add(self.results[number], await step(revision))
                    except StartError as error:
                        print(f"{name} was not measured: {error}", file=sys.stderr)

    async def _run_fastapi(self) -> None:
        for client in ("httpx", "aiohttp"):
            model = self._revisions[0].main.model
            with fastapi_server(client, model) as server:
                add(self.results[0], await measurements.fastapi_replies(server, client))


def add(rounds: Rounds, results: Results) -> None:
    for name, value in results.items():
        rounds[name].append(value)


@contextmanager
def open_revisions(other: str | None) -> Iterator[list[Revision]]:
    """Yield this revision and, if it has a name, the other one."""
    with closing(Revision("this revision", ROOT, ENV, number=0)) as own:
        if other is None:
            yield [own]
        else:
            with checkout(other) as root, closing(Revision(other, root, ENV, number=1)) as against:
                yield [own, against]


def print_table(results: Sequence[Rounds]) -> None:
    own, *others = results
    if not others:
        print(f"{'':36} {'median':>10} {'best':>10} {'worst':>10}")
        for name, values in own.items():
            ordered = best_first(name, values)
            print(f"{name:36} {median(values):10.2f} {ordered[0]:10.2f} {ordered[-1]:10.2f}")
        return
    print(f"{'':36} {'median':>10} {'against':>10} {'ratio':>10}")
    for name, values in own.items():
        line = f"{name:36} {median(values):10.2f}"
        if before := others[0].get(name):
            ratio = median(values) / median(before) if median(before) else float("nan")
            line += f" {median(before):10.2f} {ratio:10.2f}"
        print(line)


def best_first(name: str, values: list[float]) -> list[float]:
    """Sort the values of a measurement: high rates are good, and low values of all others."""
    return sorted(values, reverse="replies_per_s" in name or "polls_per_s" in name)
