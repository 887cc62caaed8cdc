"""A separate broker that is killed, is down, or does not respond."""

from collections.abc import Callable
from itertools import accumulate, pairwise
from statistics import median
from typing import Any

import pytest

from project.runner.healthcheck import is_healthy
from tests.acceptance.client import Client
from tests.acceptance.deployment import WAKE_GRACE, Deployment
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.processes import Process
from tests.harness.tiers import thorough


def start_with_broker(deployment: Deployment) -> Process:
    """Start the deployment with a separate broker, which loses its data when it is killed."""
    broker = deployment.stack.broker().start()
    deployment.start()
    return broker


def seconds_to_reply(deployment: Deployment, client: Client, *, within: float) -> float:
    """Post a message; return the seconds until it is answered."""
    start = deployment.now()
    post = client.post("Are you there?")
    client.wait_for_reply(post, "completed", within=within)
    return deployment.now() - start


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F10")
@pytest.mark.parametrize(("running", "queued"), [(0, 0), (3, 0), (4, 16)], ids=str)
def test_worker_consumes_after_each_broker_restart(
    build_deployment: Callable[..., Deployment], running: int, queued: int
) -> None:
    deployment = build_deployment(worker_concurrency=4)
    broker = start_with_broker(deployment)
    client = deployment.client()
    for _ in range(5):
        busy = [
            (each, each.post("Tell me [[tokens=40 rate=20]]"))
            for each in deployment.clients(running)
        ]
        deployment.wait_for_streams(running)
        busy += [(each, each.post("Hello")) for each in deployment.clients(queued)]
        broker.kill()
        broker.start()
        assert deployment.worker.is_running
        assert seconds_to_reply(deployment, client, within=20) < 10
        for each, post in busy:
            assert each.wait_for_reply(post, "completed")["attempt"] == 1
    assert deployment.worker.is_running


@pytest.mark.fault("F11")
def test_broker_outage_only_delays_replies(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    broker = start_with_broker(deployment)
    clients = deployment.clients(20)
    broker.kill()
    assert not is_healthy(broker.url)
    posts = [client.post("Hello") for client in clients]
    posts += [client.post("And then?") for client in clients]
    assert max(post.response.seconds for post in posts) < 1

    broker.start()
    restarted_at = deployment.now()
    for client, post in zip(clients * 2, posts, strict=True):
        assert client.wait_for_reply(post, "completed")["completed_at"] < restarted_at + 10


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F11")
def test_queue_is_drained_after_a_minute_without_broker(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    broker = start_with_broker(deployment)
    clients = deployment.clients(5)
    broker.kill()
    killed_at = deployment.now()
    posts = []
    for seconds in range(0, 60, 5):
        deployment.wait_for_time(killed_at + seconds)
        posts += [(client, client.post("Hello")) for client in clients]
    assert max(post.response.seconds for _, post in posts) < 1

    broker.start()
    restarted_at = deployment.now()
    for client, post in posts:
        assert client.wait_for_reply(post, "completed")["completed_at"] < restarted_at + 10


@pytest.mark.slow
@pytest.mark.fault("F12")
def test_worker_detects_a_half_open_broker_connection(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    broker = deployment.stack.broker().start()
    proxy = deployment.proxy(broker.url)
    deployment.reroute(deployment.worker, BROKER_URL=proxy.url)
    deployment.start()
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")

    assert proxy.half_open()
    assert seconds_to_reply(deployment, client, within=30) < 15
    assert deployment.worker.is_running


@pytest.mark.thorough
@pytest.mark.fault("F12")
def test_publish_on_a_dead_connection_delays_no_response(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    deployment.web_broker_proxy.pause()
    for _ in range(3):
        post = client.post("Are you there?")
        assert post.response.seconds < 1
        reply = client.wait_for_reply(post, "completed")
        assert reply["completed_at"] < reply["created_at"] + WAKE_GRACE + 2


@pytest.mark.slow
@pytest.mark.fault("F12")
def test_worker_stops_with_a_half_open_broker_connection(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    broker = deployment.stack.broker().start()
    proxy = deployment.proxy(broker.url)
    deployment.reroute(deployment.worker, BROKER_URL=proxy.url)
    deployment.start()
    clients = deployment.clients(3)
    posts = [client.post("Tell me [[tokens=20 rate=10]]") for client in clients]
    deployment.wait_for_streams(3)

    assert proxy.half_open()
    assert deployment.worker.stop() == 0
    deployment.worker.start()
    for client, post in zip(clients, posts, strict=True):
        assert client.wait_for_reply(post, "completed")["attempt"] == 1


def most_in_flight(replies: list[dict[str, Any]]) -> int:
    """Return how many turns were running at the same time."""
    changes = [(reply["started_at"], 1) for reply in replies]
    changes += [(reply["completed_at"], -1) for reply in replies]
    counts = list(accumulate(change for _, change in sorted(changes)))
    return max(counts)


@pytest.mark.fault("F34")
@pytest.mark.parametrize("fault", [Process.kill, *thorough(Process.freeze)])
def test_worker_starts_and_answers_without_a_broker(
    build_deployment: Callable[..., Deployment], fault: Callable[[Process], None]
) -> None:
    deployment = build_deployment(worker_concurrency=2)
    broker = start_with_broker(deployment)
    clients = deployment.clients(6)
    fault(broker)
    deployment.worker.kill()
    deployment.worker.start()
    posts = [client.post("Hello [[tokens=6 rate=20]]") for client in clients]
    pairs = list(zip(clients, posts, strict=True))
    replies = [client.wait_for_reply(post, "completed") for client, post in pairs]
    slowest = max(reply["completed_at"] - reply["created_at"] for reply in replies)
    print(f"{len(replies)} replies without a broker; the slowest took {slowest:.1f} s")  # noqa: T201
    # Three rounds of two turns. A sweep finds the first ones.
    assert slowest < WAKE_GRACE + 4
    assert {reply["attempt"] for reply in replies} == {1}
    assert most_in_flight(replies) <= 2
    assert deployment.worker.stop() == 0


@pytest.mark.fault("F10")
def test_lost_broker_connection_keeps_the_limit_of_turns_in_flight(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(worker_concurrency=2)
    broker = start_with_broker(deployment)
    clients = deployment.clients(8)
    posts = [client.post("Tell me [[tokens=16 rate=20]]") for client in clients]
    deployment.wait_for_streams(2)
    broker.kill()
    broker.start()
    pairs = list(zip(clients, posts, strict=True))
    replies = [client.wait_for_reply(post, "completed") for client, post in pairs]
    assert most_in_flight(replies) == 2


@pytest.mark.thorough
@pytest.mark.fault("F11")
def test_frozen_broker_delays_no_delta(build_deployment: Callable[..., Deployment]) -> None:
    deployment = build_deployment()
    broker = start_with_broker(deployment)
    client = deployment.client()
    post = client.post("Tell me [[tokens=120 rate=20]]")
    client.wait_for_text(post)
    broker.freeze()
    client.wait_for_reply(post, "completed")
    events = deployment.redis_state().events[client.session_id]
    times = [event["created_at"] for event in events if event["type"] == "message.delta"]
    # Measured: 0.1 s. A loop that waits for the broker hangs for six seconds.
    assert max(after - before for before, after in pairwise(times)) < 1


def test_next_turn_starts_as_soon_as_a_slot_is_free(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(worker_concurrency=1).start()
    clients = deployment.clients(8)
    pairs = [(client, client.post("Hello")) for client in clients]
    replies = [client.wait_for_reply(post, "completed") for client, post in pairs]
    replies.sort(key=lambda reply: reply["started_at"])
    gaps = [after["started_at"] - before["completed_at"] for before, after in pairwise(replies)]
    assert most_in_flight(replies) == 1
    # 0.004 s on an idle machine; 0.12 s if only a timer looked for free slots.
    assert median(gaps) < 0.06
