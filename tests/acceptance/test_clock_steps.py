"""Redis's clock steps back and forward under load; libfaketime reads its offset from a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import LEASE_TTL, SWEEP_INTERVAL, Deployment
from tests.acceptance.history import Post
from tests.acceptance.test_clocks import HOUR, LIBRARY, add_variables, workers_alive
from tests.harness.wait import wait_until

BURST = 3
PER_MINUTE = 60
# Seconds after which that rate allows another message.
INTERVAL = 1
# Seconds within which all turns of a round end; the longest takes 5.
ROUND = 30.0


class SteppedClock:
    """The clock of a Redis server that is not started yet."""

    def __init__(self, deployment: Deployment, file: Path) -> None:
        self._file = file
        self._offset = 0
        self.step(0)
        variables = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
        variables |= {"LD_PRELOAD": str(LIBRARY), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        add_variables(deployment.stack.redis, variables)

    def step(self, seconds: int) -> None:
        """Step the clock; negative seconds step it back."""
        self._offset += seconds
        temporary = self._file.with_suffix(".new")
        temporary.write_text(f"{self._offset:+d}")
        temporary.rename(self._file)


def post_load(deployment: Deployment) -> list[tuple[Client, Post]]:
    """Post turns that stream, that wait behind them, and that the model delays."""
    posts = []
    for _ in range(4):
        client = deployment.client()
        texts = ("Tell me [[tokens=50 rate=10]]", "And then?")
        posts += [(client, client.post(text)) for text in texts]
    deployment.wait_for_streams(4)  # before a 429 delays all calls
    for _ in range(4):
        client = deployment.client()
        posts.append((client, client.post("Hello [[fault:429 retry_after=2 times=1]]")))
    # A worker whose lease a step forward has ended may lose one attempt, and one turn is retried.
    deployment.history.faults.update(2 * [post.content for _, post in posts])
    return posts


def use_up_rate(deployment: Deployment) -> Client:
    """Return a client that must wait before its next message."""
    client = deployment.client()
    wait_until(lambda: client.try_to_post("Hello").response.status == 429, within=10)
    return client


def assert_limited_for_an_interval(client: Client) -> None:
    def is_accepted() -> bool:
        post = client.try_to_post("Hello again")
        assert post.is_accepted or float(post.response.retry_after or 0) <= INTERVAL
        return post.is_accepted

    wait_until(is_accepted, within=INTERVAL + 4, every=0.2)


@pytest.mark.slow
@pytest.mark.fault("F40")
@pytest.mark.case("C30")
@pytest.mark.skipif(LIBRARY is None, reason="needs faketime: scripts/fault-tools")
def test_clock_steps_limit_nobody_and_fail_no_turn(
    build_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    deployment = build_deployment(messages_per_minute=PER_MINUTE, messages_burst=BURST)
    redis_clock = SteppedClock(deployment, tmp_path / "offset")
    deployment.start(workers=2)
    second_worker = deployment.stack.worker(1)
    clients = []
    for step in (-30, 30, -HOUR, HOUR):
        posts = post_load(deployment)
        clients += [client for client, _ in posts]
        limited = use_up_rate(deployment)
        before = deployment.now()
        second_worker.kill()
        redis_clock.step(step)
        assert abs(deployment.now() - before - step) < 5

        assert_limited_for_an_interval(limited)
        second_worker.start()
        for client, post in posts:
            client.wait_for_reply(post, "completed", within=ROUND)
        deployment.wait_until_idle()
        # After a step, a worker counts as alive from its next heartbeat.
        wait_until(lambda: workers_alive(deployment) == 2, within=ROUND)
    # Idle sessions of earlier rounds live for an hour, too, and their messages are in order.
    assert all(client.messages() for client in clients)
    deployment.sleep(2 * SWEEP_INTERVAL + LEASE_TTL)
