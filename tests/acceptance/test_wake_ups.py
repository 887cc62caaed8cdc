"""Wake-ups that are lost, repeated, or meet a web process that dies over them."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from chat.broker import QUEUE
from chat.broker.message import serialize_message
from chat.store.scripts import read_script
from tests.acceptance.history import NO_ANSWER
from tests.acceptance.scene import GRACE, LEASE, Scene
from tests.acceptance.usual import Usual
from tests.harness.concurrency import start_concurrently
from tests.harness.wait import wait_until


@pytest.mark.fault("F05")
def test_fifty_messages_of_a_web_killed_before_it_could_publish_are_answered_within_the_grace(
    scene: Callable[..., Scene],
) -> None:
    here = scene(web_threads=64)
    connection = here.proxy(here.stack.redis.url)
    connection.pause()
    here.reroute(here.web, BROKER_URL=connection.url, CHAT_PUBLISH_TIMEOUT="60")
    here.start()
    clients = here.clients(50)

    futures = start_concurrently([partial(client.try_to_post, "Hello") for client in clients])
    wait_until(lambda: here.kept().counts["accepted"] == 50, within=20)
    here.web.kill()
    here.history.servers_were_killed = True
    posts = [future.result() for future in futures]
    assert {post.answer.status for post in posts} == {NO_ANSWER}
    assert here.redis.llen("chat") == 0
    connection.refuse_connections()

    here.rest()
    assert len(here.calls()) == 50
    here.reroute(here.web, BROKER_URL=here.stack.redis.url)
    here.web.start()
    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(client.insist(post))
        assert reply["status"] == "completed"
        # A sweep comes within 1.2 s of the grace; the rest is for fifty turns on a busy machine.
        assert reply["completed_at"] < reply["created_at"] + GRACE + 5


@pytest.mark.fault("F06")
def test_a_message_posted_again_to_the_next_web_is_the_same_message(here: Usual) -> None:
    client = here.client()
    first = client.post("So that Redis knows the script")

    here.web_link.pause_after(read_script("submit").sha)
    [future] = start_concurrently([lambda: client.try_to_post("Hello")])
    assert here.web_link.triggered.wait(20)
    wait_until(lambda: here.kept().counts["accepted"] == 2, within=20)
    here.web.kill()
    here.history.servers_were_killed = True
    unanswered = future.result()
    assert unanswered.answer.status == NO_ANSWER
    here.web_link.disconnect()
    here.web.start()

    again = client.post_again(unanswered)
    assert again.message_id == "msg_3"
    assert client.post_again(unanswered).answer.body == again.answer.body
    assert (
        client.reply_in(again, "completed")["created_at"]
        == again.answer.body["reply"]["created_at"]
    )
    client.reply_in(first, "completed")


@pytest.mark.fault("F07")
def test_wake_ups_that_die_with_worker_and_broker_are_made_good(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    broker = here.stack.broker().start()
    here.start()
    clients = here.clients(10)
    here.worker.freeze()
    posts = [client.post("Hello") for client in clients]
    here.worker.kill()
    here.flush(broker)
    here.worker.start()
    up = here.now()
    for client, post in zip(clients, posts, strict=True):
        assert client.reply_in(post, "completed")["completed_at"] < up + GRACE + 2


@pytest.mark.fault("F08")
def test_a_wake_up_delivered_ten_times_is_one_model_call(here: Usual) -> None:
    finished, running, queued = here.clients(3)
    finished.reply_in(finished.post("Hello"), "completed")
    slow = "Tell me [[tokens=30 rate=15]]"
    posts = [running.post(slow), queued.post(slow), queued.post("And then?")]
    here.wait_for_streams(2)

    unknown = ("ses_" + 24 * "0", "*", "")
    for session_id in (*unknown, *(each.session_id for each in (finished, running, queued))):
        here.wake(session_id, times=10)
    for client, post in zip((running, queued, queued), posts, strict=True):
        client.reply_in(post, "completed")
    for client in (finished, running, queued):
        here.wake(client.session_id, times=10)
    wait_until(lambda: here.redis.llen("chat") == 0, within=20)
    assert len(here.calls()) == 4


BODIES = (
    *("no JSON", "null", "5", '"text"', "[]", "[1, 2, 3]", '{"args": []}', "[[], [], []]"),
    *("[[], {}, {}]", '[[], {"session_id": 5}, {}]', '[[], {"session_id": null}, {}]'),
)


@pytest.mark.fault("F08")
def test_what_is_no_wake_up_keeps_no_thread_of_the_worker(scene: Callable[..., Scene]) -> None:
    """Without prefetching, two that counted as taken for ever would end all taking."""
    here = scene(worker_concurrency=2, wake_grace=60)
    here.start()
    envelope = json.loads(serialize_message("ses_none", "none"))
    here.redis.lpush(QUEUE, *(json.dumps({**envelope, "body": body}) for body in BODIES))
    wait_until(lambda: here.redis.llen(QUEUE) == 0, within=20)
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")
    assert here.worker.log.count("A task failed") == len(BODIES) - 1


SHORT_VISIBILITY = "tests.acceptance.short_visibility"


@pytest.mark.slow
@pytest.mark.fault("F09")
def test_a_turn_longer_than_the_brokers_visibility_timeout_is_one_model_call(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    for number in (0, 1):
        worker = here.stack.worker(number)
        argv = tuple(part.replace("celery_app", SHORT_VISIBILITY) for part in worker.program.argv)
        worker.program = replace(worker.program, argv=argv)
    here.start(workers=2)
    client = here.client()
    reply = client.reply_in(client.post("Tell me [[tokens=100 rate=10]]"), "completed")
    assert reply["completed_at"] - reply["started_at"] > 5 * LEASE - 1
    assert reply["attempt"] == 1
