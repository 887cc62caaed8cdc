"""A Sentinel that puts the replica in the place of a primary that has died."""

from collections.abc import Callable

import pytest

from fakemodel.replies.reply import fill
from tests.acceptance.failover import Pair
from tests.acceptance.realtime.test_transports import run_client
from tests.acceptance.scene import Scene
from tests.acceptance.test_redis_trouble import Talkers
from tests.harness.wait import wait_until


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F18")
def test_a_failover_under_load_loses_no_message_that_a_replica_was_waited_for(
    scene: Callable[..., Scene],
) -> None:
    here = scene(replicas=1)
    pair = Pair(here).start()
    here.start_others()
    talkers = Talkers(here, 10)
    talkers.post_more(30)
    pair.fail_over()
    # What ended in the last moment may have been told, rolled back, and ended anew.
    here.history.told.clear()
    here.history.failovers = 1
    here.history.faults_everywhere = 1
    pair.come_back()
    talkers.post_more(30)
    for client, post in talkers.stop():
        assert client.reply_in(post)["status"] == "completed"


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_a_failover_loses_what_no_replica_was_waited_for(scene: Callable[..., Scene]) -> None:
    """The control: the row above shows something."""
    here = scene(replicas=0)
    pair = Pair(here).start()
    here.start_others(workers=0)
    clients = here.clients(5)
    kept = [client.post("Hello") for client in clients]
    assert here.redis.wait(1, 5000) == 1
    pair.cut()
    lost = [client.post("Are you there?") for client in clients]

    pair.fail_over()
    for client, post in zip(clients, kept, strict=True):
        wait_until(lambda: client.reply(post), within=30)  # noqa: B023
        assert len(client.messages()) == 2
    for post in lost:
        here.history.posts.remove(post)
    here.worker.start()


@pytest.mark.fault("F18")
def test_a_message_that_no_replica_holds_is_a_503_and_no_202(scene: Callable[..., Scene]) -> None:
    here = scene(replicas=1, replica_timeout=0.2)
    pair = Pair(here).start()
    here.start_others()
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")

    pair.replica.freeze()
    refused = client.try_to_post("Are you there?")
    assert refused.answer.status == 503
    # Nor when it is asked again, by a connection that has written nothing yet.
    here.redis.client_kill_filter(_type="normal", skipme=True)
    assert client.post_again(refused).answer.status == 503
    pair.replica.thaw()
    client.reply_in(client.insist(refused), "completed")
    assert len(client.messages()) == 4


@pytest.mark.fault("F18")
def test_followers_hear_of_everything_through_a_sentinel(scene: Callable[..., Scene]) -> None:
    here = scene(replicas=1)
    Pair(here).start()
    here.start_others(webs=2)
    assert run_client(here, 0, replies=3, disconnects=10).events > 3


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_followers_hear_of_everything_after_a_failover(scene: Callable[..., Scene]) -> None:
    here = scene(replicas=1)
    pair = Pair(here).start()
    here.start_others(webs=2)
    before = here.client()
    before.reply_in(before.post("Hello"), "completed")
    pair.fail_over()
    pair.come_back()
    assert run_client(here, 1, replies=3, disconnects=10).events > 3


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_a_claim_that_a_failover_has_rolled_back_cannot_commit(
    scene: Callable[..., Scene],
) -> None:
    here = scene(replicas=0, lease_ttl=30)
    pair = Pair(here).start()
    here.start_others()
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")
    here.worker.freeze()
    here.script({"tokens": 600, "rate": 10})  # the first call goes on all the while
    post = client.post("Tell me [[tokens=40 rate=20]]")
    assert here.redis.wait(1, 5000) == 1
    pair.cut()
    here.worker.thaw()
    client.said(post)
    here.worker.freeze()
    first = here.kept().sessions[client.session_id]

    pair.fail_over()
    here.history.failovers = 1
    here.history.faults[post.content] = 1
    here.stack.worker(1).start()
    client.said(post)
    second = here.kept().sessions[client.session_id]
    assert (first["fence"], first["turn"]) == (second["fence"], second["turn"])
    assert first["nonce"] != second["nonce"], "which is all that tells the two apart"
    here.worker.thaw()

    here.wait_for_hang_up(post)
    reply = client.reply_in(post, "completed")
    assert reply["attempt"] == 1
    assert reply["content"] == fill(f"echo: {post.content}", 40)
