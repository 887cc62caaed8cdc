"""Turns on one Redis, and on a Redis Cluster of three masters: `python -m bench cluster`.

Two web processes and two workers each. The rounds alternate, because other load on the machine
changes. The sum over the masters is compared with the one Redis, each with its broker.
"""

import asyncio
from collections import defaultdict
from pathlib import Path
from statistics import median

from bench import turns
from bench.report import ENV, Rounds, add
from bench.servers import haproxy
from tests.harness.cluster_process import ClusterProcess
from tests.harness.stack import Stack

ROUNDS = 3


def pids_of(stack: Stack) -> dict[str, int]:
    """Return the processes of a stack by name."""
    pids = {f"web{i}": stack.web(i).pid for i in (0, 1)}
    pids |= {f"worker{i}": stack.worker(i).pid for i in (0, 1)}
    if isinstance(stack.redis, ClusterProcess):
        masters = {f"redis{number}": pid for number, pid in enumerate(stack.redis.pids)}
        return {**pids, **masters, "redis_broker": stack.redis.broker_pid}
    return pids | {"redis": stack.redis.pid}


async def measure(directory: Path, *, on_cluster: bool) -> dict[str, float]:
    """Return the CPU per turn, of all processes of a kind together."""
    stack = Stack(
        directory,
        env=ENV,
        appendonly=True,
        model_options=("--style", "echo"),
        on_cluster=on_cluster,
    )
    with stack:
        stack.start(webs=2, workers=2)
        with haproxy(directory, [stack.web(i).url for i in (0, 1)]) as proxy:
            results = await turns.cost(proxy.url, pids_of(stack), turns.SHORT)
    sums: dict[str, float] = defaultdict(float)
    for name, value in results.items():
        kind = next((each for each in ("web", "worker", "redis") if f"_{each}" in name), "")
        sums[f"cpu_ms_per_turn_{kind}" if kind else "turns_per_s"] += value
        if "redis" in name and on_cluster:
            sums[name] += value
    return sums


def main(directory: Path) -> None:
    rounds: dict[bool, Rounds] = {False: defaultdict(list), True: defaultdict(list)}
    for number in range(ROUNDS):
        for on_cluster, found in rounds.items():
            place = directory / f"{number}-{on_cluster}"
            add(found, asyncio.run(measure(place, on_cluster=on_cluster)))
    print(f"{'median of ' + str(ROUNDS):32} {'one Redis':>10} {'Cluster':>10} {'ratio':>6}")
    for name, values in rounds[True].items():
        one, cluster = rounds[False].get(name), median(values)
        if one:
            print(f"{name:32} {median(one):10.2f} {cluster:10.2f} {cluster / median(one):6.2f}")
        else:
            print(f"{name:32} {'':10} {cluster:10.2f}")
