"""A Redis Cluster of three masters and three replicas, with a separate broker."""

import gc
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, permutations
from pathlib import Path
from threading import Event

import pytest
from redis.crc import key_slot

from tests.acceptance.client import Client
from tests.acceptance.deployment import SWEEP_INTERVAL, Deployment
from tests.acceptance.doctor import doctor
from tests.acceptance.history import Post
from tests.acceptance.load import LoadGenerator
from tests.acceptance.realtime.test_transports import run_client
from tests.harness.concurrency import start_concurrently
from tests.harness.redis_cluster import Cluster, Node, connect, running_cluster
from tests.harness.wait import wait_until

pytestmark = [pytest.mark.fault("F35"), pytest.mark.thorough, pytest.mark.timeout(300)]

CLIENTS = 40
# Seconds of load with each fault.
DURATION = 60.0
# Seconds in which a reply must be complete, a failover included.
MAX_REPLY_TIME = 30.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    options = ("--appendonly", "yes")
    with running_cluster(tmp_path / "cluster", *options, replicas=1, password="secret") as cluster:
        yield cluster
    with warnings.catch_warnings():
        # redis-py forgets connections to nodes that a test has killed.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def deployment(
    cluster: Cluster, build_deployment: Callable[..., Deployment], request: pytest.FixtureRequest
) -> Deployment:
    """A deployment on the Cluster, started with two web processes and two workers.

    Its parameter, if there is one, has further settings.
    """
    built = build_deployment(**getattr(request, "param", {}))
    built.redis.close()
    built.data_url = cluster.url
    built.redis = connect(cluster.url, decode_responses=True)
    built.stack.env |= {"REDIS_URL": cluster.url, "BROKER_URL": built.stack.redis.url}
    built.start(webs=2, workers=2)
    return built


def node_of(cluster: Cluster, client: Client, partitions: int = 256) -> Node:
    """Return the master that has the client's session."""
    partition = int(client.session_id.removeprefix("ses_")[:4], 16) * partitions >> 16
    return cluster.master_of(key_slot(str(partition).encode()))


def finish(load: LoadGenerator, deployment: Deployment) -> None:
    """End the load, and check that every accepted message has its reply, in time."""
    check(deployment, load.stop())


def check(deployment: Deployment, posts: list[tuple[Client, Post]]) -> None:
    """Check that every accepted message has its reply, in time, and print the slowest."""
    deployment.history.global_faults = 1
    for client, post in posts:
        assert client.wait_for_reply(post)["status"] == "completed"
    slowest = max(
        reply["completed_at"] - reply["created_at"]
        for reply in deployment.history.outcomes.values()
    )
    print(f"{len(posts)} accepted and completed; the slowest reply took {slowest:.1f} s")  # noqa: T201
    assert slowest < MAX_REPLY_TIME


def test_load_with_subscribers_and_doctor(deployment: Deployment) -> None:
    load = LoadGenerator(deployment.clients(CLIENTS))
    assert run_client(deployment, 0, replies=3, disconnects=10).events > 3
    code, output = doctor(deployment.stack)
    assert code == 0, output
    assert output.count("append-only file is on") == 3, output
    finish(load, deployment)


@pytest.mark.parametrize("deployment", [{"replicas": 1}], indirect=True)
def test_killed_master_loses_no_message(cluster: Cluster, deployment: Deployment) -> None:
    load = LoadGenerator(deployment.clients(CLIENTS))
    end = time.monotonic() + DURATION
    for master in cluster.masters[:2]:
        load.wait_for_posts(2 * CLIENTS)
        master.kill()
        wait_until(lambda: cluster.is_ready(but=master), within=30)  # noqa: B023
        load.wait_for_posts(2 * CLIENTS)
        master.start()
        wait_until(cluster.is_ready, within=30)
    wait_until(lambda: time.monotonic() > end, within=DURATION)
    deployment.history.failovers = 2
    deployment.history.outcomes.clear()  # the last ones before a failover may be rolled back
    finish(load, deployment)


def test_moving_slots_under_load(cluster: Cluster, deployment: Deployment) -> None:
    """All slots of one master move to another, then those of the next, and so on."""
    load = LoadGenerator(deployment.clients(CLIENTS))
    end = time.monotonic() + DURATION
    load.wait_for_posts(CLIENTS)
    slots = [key_slot(str(partition).encode()) for partition in range(256)]
    for source, target in cycle(permutations(cluster.masters, 2)):
        for slot in slots:
            if cluster.master_of(slot) is source:
                cluster.move_slot(slot, target)
        load.wait_for_posts(CLIENTS)
        if time.monotonic() > end:
            break
    finish(load, deployment)


@pytest.mark.parametrize("deployment", [{"daily_token_budget": 1_000_000_000}], indirect=True)
@pytest.mark.parametrize("number", [0, 2])
def test_dead_node_stops_only_its_own_sessions(
    cluster: Cluster, deployment: Deployment, number: int
) -> None:
    """The second node to die has the budgets and the list of workers."""
    clients = deployment.clients(2 * CLIENTS)
    dead = cluster.masters[number]
    assert (dead is cluster.master_of(key_slot(b"budgets"))) == (number == 2)
    cluster.replicas[number].kill()  # so that nothing takes over
    for client in clients[:4]:
        client.wait_for_reply(client.post("Hello"), "completed")
    deployment.sleep(4 * SWEEP_INTERVAL)  # workers have reached the budgets, and know one another
    own = [client for client in clients if node_of(cluster, client) is dead]
    others = [client for client in clients if client not in own]
    assert own
    dead.kill()
    stop = Event()

    def talk(client: Client) -> list[tuple[Client, Post]]:
        posts = []
        while not stop.is_set():
            posts.append((client, client.post("Hello [[latency=0.1]]")))
            client.wait_for_reply(posts[-1][1], "completed")
        return posts

    futures = start_concurrently([partial(talk, client) for client in others[:CLIENTS]])
    rejected = [client.try_to_post("Are you there?") for client in own]
    assert {post.response.status for post in rejected} == {503}
    deployment.sleep(DURATION)
    assert {client.try_to_post("And now?").response.status for client in own} == {503}
    stop.set()
    talks = [future.result() for future in futures]
    assert all(len(posts) > 3 for posts in talks)
    check(deployment, [post for posts in talks for post in posts])

    dead.start()
    cluster.replicas[number].start()
    wait_until(cluster.is_ready, within=30)
    for client, post in zip(own, rejected, strict=True):
        client.wait_for_reply(client.post_until_accepted(post), "completed")
