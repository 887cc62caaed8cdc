"""Machines whose clocks are hours apart: only Redis's decides."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.acceptance.scene import LEASE, SWEEP, Scene
from tests.harness.processes import Process
from tests.harness.wait import wait_until

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


HOUR = 3600
"""Seconds."""


def live_at(process: Process, shift: int) -> None:
    """Set the clock of a process that does not run yet, but not the one that measures spans."""
    own = {
        "PYTHONPATH": str(Path(__file__).with_name("clock")),
        "CLOCK_SHIFT": str(shift),
    }
    set_apart(process, own)


def set_apart(process: Process, clock: dict[str, str]) -> None:
    process.program = replace(process.program, env={**process.program.env, **clock})


def workers_alive(here: Scene) -> int:
    """Return how many workers the web takes to be alive."""
    told = requests.get(f"{here.web.url}/metrics", timeout=10).text
    found = re.search(r"^parley_workers (\d+)", told, re.MULTILINE)
    assert found, told
    return int(found.group(1))


@pytest.mark.slow
@pytest.mark.fault("F25")
@pytest.mark.skipif(LIBRARY is None, reason="needs faketime: scripts/fault-tools")
def test_clocks_two_hours_apart_let_nothing_expire_early_nor_be_answered_twice(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    workers = [here.stack.worker(number) for number in (0, 1)]
    live_at(workers[0], -2 * HOUR)
    live_at(workers[1], 2 * HOUR)
    live_at(here.web, -4 * HOUR)
    set_apart(here.stack.redis, {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+4h"})
    here.start(workers=2)
    clients = here.clients(10)
    brief = here.client(ttl=1)
    begun = here.now()
    assert begun > time.time() + 3 * HOUR
    posts = [client.post("Tell me [[tokens=50 rate=10]]") for client in clients]
    queued = [client.post("And then?") for client in clients]
    retried = [client.post("Hello [[fault:429 retry_after=1 times=1]]") for client in clients]
    here.history.faults.update(post.content for post in retried)
    for client, post in zip(clients * 3, posts + queued + retried, strict=True):
        assert client.reply_in(post, "completed", within=60)["attempt"] == 1
    assert here.now() > begun + 2 * LEASE
    assert len(here.calls()) == 40

    # A session ends when its time has come, by Redis's clock, and none before.
    here.history.ended.add(brief.session_id)
    wait_until(lambda: brief.call("GET", f"/sessions/{brief.session_id}").status == 404, within=30)
    here.wait_for_time(here.now() + 2 * SWEEP)
    for client in clients:
        assert len(client.messages()) == 6

    # Who is alive is told by the same clock.
    assert workers_alive(here) == 2
    workers[1].kill()
    wait_until(lambda: workers_alive(here) == 1, within=30)
