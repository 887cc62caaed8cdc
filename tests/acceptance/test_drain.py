"""Workers that are told to stop, one after the other, as a deploy does."""

import json
import signal
from collections.abc import Callable

import pytest

from tests.acceptance.scene import Scene
from tests.acceptance.usual import Usual
from tests.harness.wait import wait_until


@pytest.mark.fault("F24")
def test_streams_longer_than_the_drain_are_taken_over_at_once_and_none_fails(
    scene: Callable[..., Scene],
) -> None:
    here = scene(drain_timeout=1, lease_ttl=10).start(workers=1)
    clients = here.clients(20)
    here.script({"times": 20, "tokens": 200, "rate": 10})
    posts = [client.post("Tell me") for client in clients]
    short = [here.client() for _ in range(3)]
    here.wait_for_streams(20)
    ending = [(client, client.post("Hello [[tokens=8 rate=10]]")) for client in short]
    for client, post in ending:
        client.said(post)
    here.stack.worker(1).start()

    # The deploy: the old one is stopped while the new one works.
    assert here.worker.stop() == 0
    here.history.faults.update(post.content for post in posts)
    for client, post in zip(clients, posts, strict=True):
        reply = client.reply_in(post, "completed")
        assert reply["attempt"] == 1, "a hand-over uses up no attempt"
    for client, post in ending:
        assert client.reply_in(post, "completed")["attempt"] == 1
    kept = here.kept()
    for client in clients:
        at = {event["type"]: event["created_at"] for event in kept.events[client.session_id]}
        assert at["message.started"] - at["message.restarted"] < 2
    assert here.stack.worker(1).stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F24")
def test_a_rolling_restart_under_long_streams_fails_none(scene: Callable[..., Scene]) -> None:
    here = scene(drain_timeout=2, lease_ttl=10).start(workers=2)
    clients = here.clients(20)
    posts = [client.post("Tell me [[tokens=200 rate=10]]") for client in clients]
    here.wait_for_streams(20)
    for number in (0, 1):
        assert here.stack.worker(number).stop() == 0
        here.stack.worker(number).start()
        here.wait_for_streams(20)
    here.history.faults_everywhere = 2
    for client, post in zip(clients, posts, strict=True):
        assert client.reply_in(post, "completed", within=60)["attempt"] == 1


@pytest.mark.fault("F24")
def test_what_a_newer_version_has_stored_and_says_is_answered_by_an_older_worker(
    here: Usual,
) -> None:
    """In the middle of a deploy; the newer version's share is written by hand."""
    client = here.client(context={"messages": 10})
    here.worker.freeze()
    post = client.post("Hello", options={"max_tokens": 100})
    [session] = here.redis.scan_iter(f"chat:*:session:{client.session_id}")
    context = json.loads(here.redis.hget(session, "context"))
    newer = {"schema": 3, "novelty": "x", "context": json.dumps(context | {"novelty": [1]})}
    here.redis.hset(session, mapping=newer)
    messages = session.replace("session", "messages", 1)
    deadline, _, stored = here.redis.hget(messages, "2:request").partition(" ")
    asked = json.loads(stored) | {"novelty": {}}
    asked["options"]["novelty"] = 0.5
    here.redis.hset(messages, "2:request", f"{deadline} {json.dumps(asked)}")
    here.redis.delete("chat")  # the wake-up of this version
    here.wake(client.session_id, times=2, novelty="x")
    here.worker.thaw()

    reply = client.reply_in(post, "completed")
    assert reply["attempt"] == 1
    assert here.calls()[0]["parameters"]["max_tokens"] == 100
    client.reply_in(client.post("And then?"), "completed")
    stored = here.redis.hgetall(session)
    assert (stored["schema"], stored["novelty"]) == ("3", "x"), (
        "what it does not know it leaves alone"
    )
    assert "received unregistered task" not in here.worker.log_of_this_start.lower()
    assert "TypeError" not in here.worker.log_of_this_start


@pytest.mark.fault("F24")
def test_a_worker_told_to_stop_claims_nothing_more(here: Usual) -> None:
    slow, late = here.clients(2)
    post = slow.post("Tell me [[tokens=18 rate=10]]")
    slow.said(post)
    here.worker.signal(signal.SIGTERM)
    wait_until(lambda: "Warm shutdown" in here.worker.log_of_this_start)
    here.wait_for_time(here.now() + 0.5)
    waiting = late.post("Hello")
    assert slow.reply_in(post, "completed")["attempt"] == 1
    wait_until(lambda: not here.worker.is_running)
    assert here.worker.exit_code == 0
    assert late.reply(waiting)["status"] == "queued"
    here.worker.start()
    late.reply_in(waiting, "completed")


@pytest.mark.fault("F24")
def test_a_worker_told_to_stop_twice_hands_its_turn_back_at_once(
    scene: Callable[..., Scene],
) -> None:
    here = scene(drain_timeout=120).start()
    client = here.client()
    post = client.post("Tell me [[tokens=100 rate=20]]")
    client.said(post)
    here.worker.signal(signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in here.worker.log)
    here.worker.signal(signal.SIGINT)
    wait_until(lambda: not here.worker.is_running)
    assert "Traceback" not in here.worker.log
    assert client.reply(post)["status"] == "queued"

    here.history.faults[post.content] = 1
    here.worker.start()
    assert client.reply_in(post, "completed")["attempt"] == 1, "a hand-over uses up no attempt"


@pytest.mark.fault("F24")
def test_a_worker_told_to_stop_while_redis_is_down_ends_and_its_turn_is_answered_by_the_next(
    scene: Callable[..., Scene],
) -> None:
    here = scene(drain_timeout=0).start()
    client = here.client()
    post = client.post("Tell me [[tokens=200 rate=20]]")
    client.said(post)
    here.stack.redis.kill()
    wait_until(lambda: "Could not flush" in here.worker.log)
    assert here.worker.stop() == 0
    assert here.worker.log.count("Could not flush") == 1, "not twenty lines a second"

    here.history.faults[post.content] = 1
    here.stack.redis.start()
    here.worker.start()
    assert client.reply_in(post, "completed", within=60)["attempt"] == 2
