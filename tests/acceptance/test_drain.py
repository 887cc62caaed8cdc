"""Workers that are stopped one after the other, as in a deploy."""

import json
import signal
from collections.abc import Callable

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.wait import wait_until


@pytest.mark.thorough
@pytest.mark.fault("F24")
def test_streams_longer_than_the_drain_are_handed_over(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(drain_timeout=1, lease_ttl=10).start(workers=1)
    clients = deployment.clients(20)
    deployment.script({"times": 20, "tokens": 200, "rate": 10})
    posts = [client.post("Tell me") for client in clients]
    short = [deployment.client() for _ in range(3)]
    deployment.wait_for_streams(20)
    ending = [(client, client.post("Hello [[tokens=8 rate=10]]")) for client in short]
    for client, post in ending:
        client.wait_for_text(post)
    deployment.stack.worker(1).start()

    # The deploy: the old worker stops while the new one runs.
    assert deployment.worker.stop() == 0
    deployment.history.faults.update(post.content for post in posts)
    for client, post in zip(clients, posts, strict=True):
        reply = client.wait_for_reply(post, "completed")
        assert reply["attempt"] == 1, "a handover uses no attempt"
    for client, post in ending:
        assert client.wait_for_reply(post, "completed")["attempt"] == 1
    state = deployment.redis_state()
    for client in clients:
        at = {event["type"]: event["created_at"] for event in state.events[client.session_id]}
        assert at["message.started"] - at["message.restarted"] < 2
    assert deployment.stack.worker(1).stop() == 0


@pytest.mark.timeout(300)
@pytest.mark.fault("F24")
@pytest.mark.parametrize(
    ("streams", "tokens"), [(4, 100), pytest.param(20, 200, marks=pytest.mark.slow)]
)
def test_rolling_restart_fails_no_reply(
    build_deployment: Callable[..., Deployment], streams: int, tokens: int
) -> None:
    deployment = build_deployment(drain_timeout=2, lease_ttl=10).start(workers=2)
    clients = deployment.clients(streams)
    posts = [client.post(f"Tell me [[tokens={tokens} rate=10]]") for client in clients]
    deployment.wait_for_streams(streams)
    for number in (0, 1):
        assert deployment.stack.worker(number).stop() == 0
        deployment.stack.worker(number).start()
        deployment.wait_for_streams(streams)
    deployment.history.global_faults = 2
    for client, post in zip(clients, posts, strict=True):
        assert client.wait_for_reply(post, "completed", within=60)["attempt"] == 1


@pytest.mark.fault("F24")
def test_older_worker_answers_a_newer_versions_turn(
    deployment: SharedDeployment,
) -> None:
    """As in the middle of a deploy. The test writes the newer version's data by hand."""
    client = deployment.client(context={"messages": 10})
    deployment.worker.freeze()
    post = client.post("Hello", options={"max_tokens": 100})
    [session] = deployment.redis.scan_iter(f"chat:*:session:{client.session_id}")
    context = json.loads(deployment.redis.hget(session, "context"))
    newer = {
        "schema": 3,
        "future_field": "x",
        "context": json.dumps(context | {"future_field": [1]}),
    }
    deployment.redis.hset(session, mapping=newer)
    messages = session.replace("session", "messages", 1)
    deadline, _, stored = deployment.redis.hget(messages, "2:request").partition(" ")
    changed = json.loads(stored) | {"future_field": {}}
    changed["options"]["future_field"] = 0.5
    deployment.redis.hset(messages, "2:request", f"{deadline} {json.dumps(changed)}")
    deployment.redis.delete("chat")  # the wake-up of this version
    deployment.wake(client.session_id, times=2, future_field="x")
    deployment.worker.thaw()

    reply = client.wait_for_reply(post, "completed")
    assert reply["attempt"] == 1
    assert deployment.calls()[0]["parameters"]["max_tokens"] == 100
    client.wait_for_reply(client.post("And then?"), "completed")
    stored = deployment.redis.hgetall(session)
    assert (stored["schema"], stored["future_field"]) == ("3", "x"), "unknown fields are kept"
    assert "received unregistered task" not in deployment.worker.log_of_this_start.lower()
    assert "TypeError" not in deployment.worker.log_of_this_start


@pytest.mark.fault("F24")
def test_stopping_worker_claims_no_turn(deployment: SharedDeployment) -> None:
    slow, late = deployment.clients(2)
    post = slow.post("Tell me [[tokens=18 rate=10]]")
    slow.wait_for_text(post)
    deployment.worker.signal(signal.SIGTERM)
    wait_until(lambda: "Warm shutdown" in deployment.worker.log_of_this_start)
    deployment.wait_for_time(deployment.now() + 0.5)
    waiting = late.post("Hello")
    assert slow.wait_for_reply(post, "completed")["attempt"] == 1
    wait_until(lambda: not deployment.worker.is_running)
    assert deployment.worker.exit_code == 0
    assert late.reply(waiting)["status"] == "queued"
    deployment.worker.start()
    late.wait_for_reply(waiting, "completed")


@pytest.mark.thorough
@pytest.mark.fault("F24")
@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGQUIT)],
    ids=["INT INT", "TERM QUIT"],
)
def test_second_stop_signal_hands_the_turn_back_at_once(
    build_deployment: Callable[..., Deployment], first: signal.Signals, second: signal.Signals
) -> None:
    deployment = build_deployment(drain_timeout=120).start()
    client = deployment.client()
    post = client.post("Tell me [[tokens=100 rate=20]]")
    client.wait_for_text(post)
    deployment.worker.signal(first)
    wait_until(lambda: "Warm shutdown" in deployment.worker.log)
    deployment.worker.signal(second)
    wait_until(lambda: not deployment.worker.is_running)
    assert "Traceback" not in deployment.worker.log
    assert client.reply(post)["status"] == "queued"

    deployment.history.faults[post.content] = 1
    deployment.worker.start()
    assert client.wait_for_reply(post, "completed")["attempt"] == 1, "a handover uses no attempt"


@pytest.mark.thorough
@pytest.mark.fault("F24")
def test_worker_stops_while_redis_is_down(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(drain_timeout=0).start()
    client = deployment.client()
    post = client.post("Tell me [[tokens=200 rate=20]]")
    client.wait_for_text(post)
    deployment.stack.redis.kill()
    wait_until(lambda: "Could not flush" in deployment.worker.log)
    assert deployment.worker.stop() == 0
    assert deployment.worker.log.count("Could not flush") == 1, "not twenty records a second"

    deployment.history.faults[post.content] = 1
    deployment.stack.redis.start()
    deployment.worker.start()
    assert client.wait_for_reply(post, "completed", within=60)["attempt"] == 2
