"""A Redis that is killed, frozen, without scripts, loading, read-only, or full."""

from collections.abc import Callable
from functools import partial
from statistics import median

import pytest

from chat.store.scripts import read_script
from tests.acceptance.deployment import WAKE_GRACE, Deployment
from tests.acceptance.load import LoadGenerator
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.concurrency import run_concurrently
from tests.harness.wait import wait_until

# Seconds; the default.
STORE_TIMEOUT = 1.5
# An address without a Redis server.
UNREACHABLE = ("127.0.0.1", 1)


@pytest.mark.fault("F03")
def test_finish_is_resent_after_a_lost_response(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client()
    client.wait_for_reply(client.post("Load the scripts into Redis"), "completed")
    deployment.redis.config_set("slowlog-log-slower-than", 0)
    deployment.redis.config_set("slowlog-max-len", 10_000)

    finish = read_script("finish").sha
    deployment.worker_redis_proxy.drop_response_to(finish)
    posts = [client.post("Hello"), client.post("And then?")]
    assert deployment.worker_redis_proxy.triggered.wait(20)
    replies = [client.wait_for_reply(post, "completed") for post in posts]

    log = deployment.redis.slowlog_get(10_000)
    sent = [call["command"].decode(errors="replace") for call in log]
    finishes = [command for command in sent if finish in command and client.session_id in command]
    deployment.redis.config_set("slowlog-log-slower-than", 10_000)
    assert len(finishes) == 3
    assert [reply["attempt"] for reply in replies] == [1, 1]
    # The lost response said that a turn is queued; the sweeper finds it as well.
    assert replies[1]["started_at"] < replies[0]["completed_at"] + WAKE_GRACE + 2


@pytest.mark.fault("F13")
@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.thorough)])
def test_redis_kills_under_load_lose_nothing(deployment: SharedDeployment, kills: int) -> None:
    load = LoadGenerator(deployment.clients(kills))
    for _ in range(kills):
        load.wait_for_posts(10)
        deployment.stack.redis.kill()
        deployment.stack.redis.start()
    posts = load.stop()
    deployment.history.global_faults = 1
    for client, post in posts:
        assert client.reply(post)["status"] == "completed"


@pytest.mark.fault("F15")
def test_frozen_redis_gets_503_within_two_seconds(
    deployment: SharedDeployment,
) -> None:
    clients = deployment.clients(50)
    for client in clients[:5]:
        client.wait_for_reply(client.post("Hello"), "completed")
    running = clients[0].post("Tell me [[tokens=40 rate=10]]")
    clients[0].wait_for_text(running)
    reads = run_concurrently(
        [partial(client.call, "GET", f"/sessions/{client.session_id}") for client in clients]
    )
    busy = max(read.seconds for read in reads)  # the load alone takes this long

    deployment.stack.redis.freeze()
    posts = run_concurrently([partial(client.try_to_post, "Are you there?") for client in clients])
    assert {post.response.status for post in posts} == {503}
    assert median(post.response.seconds for post in posts) < 2 + busy
    # Timeouts of several threads do not add up.
    assert max(post.response.seconds for post in posts) < 2 * STORE_TIMEOUT - 0.5 + busy
    deployment.stack.redis.thaw()

    for client, post in zip(clients, posts, strict=True):
        client.wait_for_reply(client.post_until_accepted(post), "completed")
    assert clients[0].wait_for_reply(running, "completed")["attempt"] <= 2
    deployment.history.faults[running.content] = 1


@pytest.mark.fault("F16")
def test_flushed_scripts_are_loaded_again(
    deployment: SharedDeployment,
) -> None:
    load = LoadGenerator(deployment.clients(5))
    for _ in range(10):
        load.wait_for_posts(3)
        deployment.redis.script_flush()
    load.stop()
    assert {answer.status for answer in deployment.history.responses} <= {200, 201, 202}


@pytest.mark.fault("F16")
def test_read_only_redis_rejects_messages_and_recovers(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client()
    running = client.post("Tell me [[tokens=30 rate=10]]")
    client.wait_for_text(running)

    deployment.redis.replicaof(*UNREACHABLE)
    rejected = client.try_to_post("Are you there?")
    assert rejected.response.status == 503
    assert client.messages(), "reads work"
    deployment.redis.replicaof("NO", "ONE")

    assert client.wait_for_reply(running, "completed")["attempt"] == 1
    client.wait_for_reply(client.post_until_accepted(rejected), "completed")


@pytest.mark.thorough
@pytest.mark.fault("F16")
def test_loading_redis_gets_503_and_recovers(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment().start()
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    pipeline = deployment.redis.pipeline(transaction=False)
    for number in range(20_000):
        pipeline.set(f"ballast:{number}", number, ex=3600)
    pipeline.execute()
    deployment.rewrite_aof()

    deployment.stack.redis.kill()
    deployment.slow_down_loading(microseconds=500)
    deployment.stack.redis.launch()
    wait_until(deployment.is_loading)
    rejected = client.try_to_post("Are you there?")
    assert rejected.response.status == 503
    assert rejected.response.seconds < 2
    deployment.redis.config_set("key-load-delay", 0)
    client.wait_for_reply(client.post_until_accepted(rejected), "completed")


@pytest.mark.fault("F17")
def test_full_redis_rejects_messages_and_completes_replies(
    deployment: SharedDeployment,
) -> None:
    clients = deployment.clients(5)
    posts = [client.post("Tell me [[tokens=20 rate=10]]") for client in clients]
    queued = [client.post("And then?") for client in clients]
    deployment.wait_for_streams(5)

    deployment.redis.config_set("maxmemory", 1)
    rejected = [client.try_to_post("Are you there?") for client in clients]
    assert {post.response.status for post in rejected} == {503}
    assert {post.response.body["error"]["code"] for post in rejected} == {"store_full"}
    for client, post in zip(clients, posts, strict=True):
        assert client.wait_for_reply(post, "completed")["attempt"] == 1
    deployment.redis.config_set("maxmemory", 0)
    for client, post in zip(clients * 2, queued + rejected, strict=True):
        assert client.wait_for_reply(client.post_until_accepted(post), "completed")["attempt"] == 1


@pytest.mark.fault("F30")
def test_redis_without_free_connections_gets_503(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    deployment.redis.config_set("maxclients", 1)
    deployment.redis.client_kill_filter(_type="normal", skipme=True)

    rejected = [client.try_to_post("Are you there?") for _ in range(3)]
    assert {post.response.status for post in rejected} == {503}
    deployment.redis.config_set("maxclients", 1000)
    for post in rejected:
        client.wait_for_reply(client.post_until_accepted(post), "completed")


@pytest.mark.thorough
@pytest.mark.fault("F19")
def test_truncated_append_only_file_converges(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment().start(workers=0)
    client = deployment.client()
    stored, lost = client.post("Hello"), client.post("And then?")
    deployment.stack.redis.kill()
    deployment.truncate_aof(bytes_off=10)
    deployment.stack.redis.start()

    assert len(client.messages()) == 2, "exactly one script was lost"
    assert client.post_until_accepted(lost).message_id == lost.message_id
    deployment.worker.start()
    for post in (stored, lost):
        client.wait_for_reply(post, "completed")
