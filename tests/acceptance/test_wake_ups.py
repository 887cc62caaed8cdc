"""Wake-ups that are lost or repeated, and web processes that are killed while publishing."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from chat.broker import QUEUE
from chat.broker.message import serialize_message
from chat.store.scripts import read_script
from tests.acceptance.deployment import LEASE_TTL, WAKE_GRACE, Deployment
from tests.acceptance.history import NO_RESPONSE
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.concurrency import start_concurrently
from tests.harness.wait import wait_until


@pytest.mark.fault("F05")
def test_web_killed_before_publishing_loses_no_message(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(web_threads=64)
    proxy = deployment.proxy(deployment.stack.redis.url)
    deployment.reroute(deployment.web, BROKER_URL=proxy.url, CHAT_PUBLISH_TIMEOUT="60")
    deployment.start()
    proxy.pause()
    clients = deployment.clients(50)

    futures = start_concurrently([partial(client.try_to_post, "Hello") for client in clients])
    wait_until(lambda: deployment.redis_state().counts["accepted"] == 50, within=20)
    deployment.web.kill()
    deployment.history.servers_were_killed = True
    posts = [future.result() for future in futures]
    # A response does not wait for its wake-up, and none was published.
    assert {post.response.status for post in posts} <= {202, NO_RESPONSE}
    proxy.refuse_connections()

    deployment.wait_until_idle()
    assert len(deployment.calls()) == 50
    deployment.reroute(deployment.web, BROKER_URL=deployment.stack.redis.url)
    deployment.web.start()
    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(client.post_until_accepted(post))
        assert reply["status"] == "completed"
        # The sweeper runs within 1.2 s after the grace; fifty turns take the rest.
        assert reply["completed_at"] < reply["created_at"] + WAKE_GRACE + 5


@pytest.mark.thorough
@pytest.mark.fault("F06")
def test_post_repeated_after_a_web_restart_is_one_message(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client()
    first = client.post("Load the script into Redis")

    deployment.web_redis_proxy.pause_after(read_script("submit").sha)
    [future] = start_concurrently([lambda: client.try_to_post("Hello")])
    assert deployment.web_redis_proxy.triggered.wait(20)
    wait_until(lambda: deployment.redis_state().counts["accepted"] == 2, within=20)
    deployment.web.kill()
    deployment.history.servers_were_killed = True
    unanswered = future.result()
    assert unanswered.response.status == NO_RESPONSE
    deployment.web_redis_proxy.disconnect()
    deployment.web.start()

    repeated = client.repeat(unanswered)
    assert repeated.message_id == "msg_3"
    assert client.repeat(unanswered).response.body == repeated.response.body
    assert (
        client.wait_for_reply(repeated, "completed")["created_at"]
        == repeated.response.body["reply"]["created_at"]
    )
    client.wait_for_reply(first, "completed")


@pytest.mark.thorough
@pytest.mark.fault("F07")
def test_wake_ups_lost_with_worker_and_broker_are_recovered(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    broker = deployment.stack.broker().start()
    deployment.start()
    clients = deployment.clients(10)
    deployment.worker.freeze()
    posts = [client.post("Hello") for client in clients]
    deployment.worker.kill()
    deployment.flush(broker)
    deployment.worker.start()
    restarted_at = deployment.now()
    for client, post in zip(clients, posts, strict=True):
        assert (
            client.wait_for_reply(post, "completed")["completed_at"] < restarted_at + WAKE_GRACE + 2
        )


@pytest.mark.fault("F08")
def test_wake_up_delivered_ten_times_is_one_model_call(deployment: SharedDeployment) -> None:
    finished, running, queued = deployment.clients(3)
    finished.wait_for_reply(finished.post("Hello"), "completed")
    slow = "Tell me [[tokens=30 rate=15]]"
    posts = [running.post(slow), queued.post(slow), queued.post("And then?")]
    deployment.wait_for_streams(2)

    unknown = ("ses_" + 24 * "0", "*", "")
    for session_id in (*unknown, *(each.session_id for each in (finished, running, queued))):
        deployment.wake(session_id, times=10)
    for client, post in zip((running, queued, queued), posts, strict=True):
        client.wait_for_reply(post, "completed")
    for client in (finished, running, queued):
        deployment.wake(client.session_id, times=10)
    wait_until(lambda: deployment.redis.llen("chat") == 0, within=20)
    assert len(deployment.calls()) == 4


BODIES = (
    *("no JSON", "null", "5", '"text"', "[]", "[1, 2, 3]", '{"args": []}', "[[], [], []]"),
    *("[[], {}, {}]", '[[], {"session_id": 5}, {}]', '[[], {"session_id": null}, {}]'),
)


@pytest.mark.thorough
@pytest.mark.fault("F08")
def test_malformed_wake_ups_occupy_no_slot(
    build_deployment: Callable[..., Deployment],
) -> None:
    """Without prefetching, two messages that count as running would occupy both slots."""
    deployment = build_deployment(worker_concurrency=2, wake_grace=60)
    deployment.start()
    message = json.loads(serialize_message("ses_none", "none"))
    deployment.redis.lpush(QUEUE, *(json.dumps({**message, "body": body}) for body in BODIES))
    wait_until(lambda: deployment.redis.llen(QUEUE) == 0, within=20)
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    assert deployment.worker.log.count("A task failed") == len(BODIES) - 1


SHORT_VISIBILITY = "tests.acceptance.short_visibility"


@pytest.mark.slow
@pytest.mark.fault("F09")
def test_turn_longer_than_visibility_timeout_is_one_call(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    for number in (0, 1):
        worker = deployment.stack.worker(number)
        argv = tuple(part.replace("celery_app", SHORT_VISIBILITY) for part in worker.program.argv)
        worker.program = replace(worker.program, argv=argv)
    deployment.start(workers=2)
    client = deployment.client()
    reply = client.wait_for_reply(client.post("Tell me [[tokens=100 rate=10]]"), "completed")
    assert reply["completed_at"] - reply["started_at"] > 5 * LEASE_TTL - 1
    assert reply["attempt"] == 1
