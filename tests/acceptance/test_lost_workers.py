"""Workers that are killed, or frozen for longer than their lease."""

from collections.abc import Callable
from typing import Any

import pytest

from chat.store.scripts import read_script
from fakemodel.replies.reply import fill
from tests.acceptance.deployment import LEASE_TTL, Deployment
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.wait import wait_until

# A reply of 20 s, for calls that run when their worker is lost.
SLOW = {"tokens": 200, "rate": 10}
# Seconds in which 50 due turns are claimed and answered by a restarted worker.
SWEEP_TIME = 20
# A reply of 2 s.
QUICK = {"tokens": 40, "rate": 20}


@pytest.mark.fault("F01")
def test_killed_worker_loses_no_turn(
    deployment: SharedDeployment,
) -> None:
    deployment.script({"times": 50, **SLOW})
    clients = deployment.clients(50)
    posts = [client.post("Hello") for client in clients]
    deployment.wait_for_streams(50)
    queued = [client.post("And then?") for client in clients[::5]]

    deployment.worker.kill()
    deployment.history.faults.update(post.content for post in posts)
    deployment.worker.start()
    restarted_at = deployment.now()
    deployment.wait_until_idle()

    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(post)
        assert reply["status"] == "completed"
        assert reply["attempt"] == 2
        assert reply["completed_at"] < restarted_at + LEASE_TTL + SWEEP_TIME
    for client, post in zip(clients[::5], queued, strict=True):
        assert client.reply(post)["completed_at"] < restarted_at + LEASE_TTL + SWEEP_TIME
    state = deployment.redis_state()
    for client in clients:
        types = [event["type"] for event in state.events[client.session_id]]
        assert types.count("message.restarted") == 1


@pytest.mark.fault("F02")
def test_worker_killed_before_finish_loses_no_reply(deployment: SharedDeployment) -> None:
    client = deployment.client()
    client.wait_for_reply(client.post("Load the scripts into Redis"), "completed")

    deployment.worker_redis_proxy.pause_before(read_script("finish").sha)
    post = client.post("Hello")
    assert deployment.worker_redis_proxy.triggered.wait(20)
    assert deployment.calls(post.content)[0]["finished_at"]
    deployment.worker.kill()
    deployment.worker_redis_proxy.disconnect()
    deployment.history.faults[post.content] = 1
    deployment.worker.start()
    restarted_at = deployment.now()

    reply = client.wait_for_reply(post, "completed")
    assert reply["attempt"] == 2
    assert reply["completed_at"] < restarted_at + LEASE_TTL + SWEEP_TIME


@pytest.mark.fault("F04")
def test_frozen_worker_writes_nothing_after_its_lease(
    deployment: SharedDeployment,
) -> None:
    # After the thaw some calls are still running, and others are complete.
    deployment.script(
        {"match": "long", "times": 5, **SLOW}, {"match": "short", "times": 5, **QUICK}
    )
    clients = deployment.clients(10)
    posts = [
        (client, client.post(f"{kind} [[tokens=30 rate=10]]"))
        for client, kind in zip(clients, 5 * ["long", "short"], strict=True)
    ]
    deployment.wait_for_streams(10)
    deployment.worker.freeze()
    deployment.history.faults.update(post.content for _, post in posts)
    deployment.stack.worker(1).start()
    wait_until(lambda: all(is_restarted(client.reply(post)) for client, post in posts), within=30)
    deployment.worker.thaw()

    # The worker detects its lost leases and cancels its model calls.
    for _, post in posts[::2]:
        deployment.wait_for_disconnect(post)
    for client, post in posts:
        reply = client.wait_for_reply(post, "completed")
        assert reply["attempt"] == 2
        assert reply["content"] == fill(f"echo: {post.content}", 30)
        client.post("And then?")


def is_restarted(reply: dict[str, Any]) -> bool:
    return reply["attempt"] == 2 and len(reply["content"]) > 0


@pytest.mark.thorough
@pytest.mark.fault("F27")
def test_message_that_crashes_its_workers_fails(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(max_attempts=3, lease_ttl=1.5).start()
    deployment.script({"match": "poison", "times": 0, **SLOW})
    client = deployment.client()
    poison = client.post("poison")
    following = client.post("Are you there?")
    for attempt in range(1, 4):
        deployment.wait_for_call(poison, attempt)
        deployment.worker.kill()
        deployment.worker.start()
    deployment.history.faults[poison.content] = 2

    reply = client.wait_for_reply(poison, "failed")
    assert reply["error"]["code"] == "worker_lost"
    assert reply["attempt"] == 3
    client.wait_for_reply(following, "completed")
