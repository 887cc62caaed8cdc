"""Hosts whose clocks are hours apart: only Redis's clock counts."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.acceptance.deployment import LEASE_TTL, SWEEP_INTERVAL, Deployment
from tests.harness.processes import Process
from tests.harness.wait import wait_until

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


HOUR = 3600  # seconds


def shift_clock(process: Process, seconds: int) -> None:
    """Shift the wall clock, not the monotonic one, of a process that is not started yet."""
    directory = Path(__file__).with_name("shifted_clock")
    add_variables(process, {"PYTHONPATH": str(directory), "CLOCK_SHIFT": str(seconds)})


def add_variables(process: Process, variables: dict[str, str]) -> None:
    process.program = replace(process.program, env={**process.program.env, **variables})


def workers_alive(deployment: Deployment) -> int:
    """Return the number of live workers that the web process reports."""
    metrics = requests.get(f"{deployment.web.url}/metrics", timeout=10).text
    found = re.search(r"^parley_workers (\d+)", metrics, re.MULTILINE)
    assert found, metrics
    return int(found.group(1))


@pytest.mark.slow
@pytest.mark.fault("F25")
@pytest.mark.skipif(LIBRARY is None, reason="needs faketime: scripts/fault-tools")
def test_clocks_hours_apart_cause_no_early_expiry(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    workers = [deployment.stack.worker(number) for number in (0, 1)]
    shift_clock(workers[0], -2 * HOUR)
    shift_clock(workers[1], 2 * HOUR)
    shift_clock(deployment.web, -4 * HOUR)
    add_variables(deployment.stack.redis, {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+4h"})
    deployment.start(workers=2)
    clients = deployment.clients(10)
    short_lived = deployment.client(ttl=1)
    start = deployment.now()
    assert start > time.time() + 3 * HOUR
    posts = [client.post("Tell me [[tokens=50 rate=10]]") for client in clients]
    queued = [client.post("And then?") for client in clients]
    retried = [client.post("Hello [[fault:429 retry_after=1 times=1]]") for client in clients]
    deployment.history.faults.update(post.content for post in retried)
    for client, post in zip(clients * 3, posts + queued + retried, strict=True):
        assert client.wait_for_reply(post, "completed", within=60)["attempt"] == 1
    assert deployment.now() > start + 2 * LEASE_TTL
    assert len(deployment.calls()) == 40

    # Only the session with the short TTL expires, by Redis's clock.
    deployment.history.ended_sessions.add(short_lived.session_id)
    wait_until(
        lambda: short_lived.call("GET", f"/sessions/{short_lived.session_id}").status == 404,
        within=30,
    )
    deployment.wait_for_time(deployment.now() + 2 * SWEEP_INTERVAL)
    for client in clients:
        assert len(client.messages()) == 6

    # Heartbeats of workers use the same clock.
    assert workers_alive(deployment) == 2
    workers[1].kill()
    wait_until(lambda: workers_alive(deployment) == 1, within=30)
