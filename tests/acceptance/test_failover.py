"""A Sentinel that promotes the replica after the primary was killed."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from fakemodel.replies.reply import fill
from tests.acceptance.deployment import Deployment
from tests.acceptance.failover import ReplicatedRedis
from tests.acceptance.load import LoadGenerator
from tests.acceptance.realtime.test_transports import run_client
from tests.harness.wait import wait_until

# Seconds for which no message may be accepted during a failover; on a quiet machine it takes 4.
MAX_OUTAGE = 20.0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F18")
@pytest.mark.fault("F39")
@pytest.mark.parametrize("replicas", [0, 1])
def test_failover_under_load_loses_no_replicated_message(
    build_deployment: Callable[..., Deployment], replicas: int
) -> None:
    """Without waiting for the replica, it has all messages as well while its link is idle."""
    deployment = build_deployment(replicas=replicas)
    pair = ReplicatedRedis(deployment).start()
    deployment.start_others()
    talkers = LoadGenerator(deployment.clients(10))
    talkers.wait_for_posts(30)
    pair.fail_over()
    # Outcomes of the last moment may have been sent, rolled back, and replaced.
    deployment.history.outcomes.clear()
    deployment.history.failovers = 1
    deployment.history.global_faults = 1
    pair.rejoin()
    talkers.wait_for_posts(30)
    posts = talkers.stop()
    for client, post in posts:
        assert client.wait_for_reply(post)["status"] == "completed"
    times = sorted(client.reply(post)["created_at"] for client, post in posts)
    outage = max(later - earlier for earlier, later in pairwise(times))
    print(f"{len(posts)} accepted, all answered; none were accepted for {outage:.1f} s")  # noqa: T201
    assert outage < MAX_OUTAGE


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_failover_loses_unreplicated_messages(
    build_deployment: Callable[..., Deployment],
) -> None:
    """The control of the test above."""
    deployment = build_deployment(replicas=0)
    pair = ReplicatedRedis(deployment).start()
    deployment.start_others(workers=0)
    clients = deployment.clients(5)
    stored = [client.post("Hello") for client in clients]
    pair.wait_until_in_sync()
    pair.disconnect_replica()
    lost = [client.post("Are you there?") for client in clients]

    pair.fail_over()
    for client, post in zip(clients, stored, strict=True):
        wait_until(lambda: client.reply(post), within=30)  # noqa: B023
        assert len(client.messages()) == 2
    for post in lost:
        deployment.history.posts.remove(post)
    deployment.worker.start()


@pytest.mark.thorough
@pytest.mark.fault("F18")
def test_message_without_a_replica_gets_503(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(replicas=1, replica_timeout=0.2)
    pair = ReplicatedRedis(deployment).start()
    deployment.start_others()
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")

    pair.replica.freeze()
    rejected = client.try_to_post("Are you there?")
    assert rejected.response.status == 503
    # The same holds when the client repeats it on a connection that has not written anything yet.
    deployment.redis.client_kill_filter(_type="normal", skipme=True)
    assert client.repeat(rejected).response.status == 503
    pair.replica.thaw()
    client.wait_for_reply(client.post_until_accepted(rejected), "completed")
    assert len(client.messages()) == 4


@pytest.mark.fault("F18")
def test_subscribers_get_all_events_through_a_sentinel(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(replicas=1)
    ReplicatedRedis(deployment).start()
    deployment.start_others(webs=2)
    assert run_client(deployment, 0, replies=3, disconnects=10).events > 3


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_subscribers_get_all_events_after_a_failover(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(replicas=1)
    pair = ReplicatedRedis(deployment).start()
    deployment.start_others(webs=2)
    before = deployment.client()
    before.wait_for_reply(before.post("Hello"), "completed")
    pair.fail_over()
    pair.rejoin()
    assert run_client(deployment, 1, replies=3, disconnects=10).events > 3


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_claim_that_a_failover_rolled_back_cannot_commit(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(replicas=0, lease_ttl=30)
    pair = ReplicatedRedis(deployment).start()
    deployment.start_others()
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    deployment.worker.freeze()
    deployment.script({"tokens": 600, "rate": 10})  # the first call runs during the whole test
    post = client.post("Tell me [[tokens=40 rate=20]]")
    pair.wait_until_in_sync()
    pair.disconnect_replica()
    deployment.worker.thaw()
    client.wait_for_text(post)
    deployment.worker.freeze()
    first = deployment.redis_state().sessions[client.session_id]

    pair.fail_over()
    deployment.history.failovers = 1
    deployment.history.faults[post.content] = 1
    deployment.stack.worker(1).start()
    client.wait_for_text(post)
    second = deployment.redis_state().sessions[client.session_id]
    for field in ("fence", "running_turn"):
        assert first[field] == second[field]
    assert first["nonce"] != second["nonce"], "only the nonce distinguishes the two claims"
    deployment.worker.thaw()

    deployment.wait_for_disconnect(post)
    reply = client.wait_for_reply(post, "completed")
    assert reply["attempt"] == 1
    assert reply["content"] == fill(f"echo: {post.content}", 40)
