"""A broker, apart from the data, that dies, stays away, or goes silent."""

from collections.abc import Callable

import pytest

from project.runner.healthcheck import is_healthy
from tests.acceptance.client import Client
from tests.acceptance.scene import GRACE, Scene
from tests.acceptance.usual import Usual
from tests.harness.processes import Process


def with_broker(here: Scene) -> Process:
    """Start the scene with a Redis of its own for the broker, which forgets all when it dies."""
    broker = here.stack.broker().start()
    here.start()
    return broker


def answered_in(here: Scene, client: Client, *, within: float) -> float:
    """Post a message; return the seconds until it is answered."""
    begun = here.now()
    post = client.post("Are you there?")
    client.reply_in(post, "completed", within=within)
    return here.now() - begun


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F10")
@pytest.mark.parametrize(("running", "queued"), [(0, 0), (3, 0), (4, 16)], ids=str)
def test_five_restarts_of_the_broker_leave_a_worker_that_consumes_within_ten_seconds(
    scene: Callable[..., Scene], running: int, queued: int
) -> None:
    here = scene(worker_concurrency=4)
    broker = with_broker(here)
    client = here.client()
    for _ in range(5):
        busy = [
            (each, each.post("Tell me [[tokens=40 rate=20]]")) for each in here.clients(running)
        ]
        here.wait_for_streams(running)
        busy += [(each, each.post("Hello")) for each in here.clients(queued)]
        broker.kill()
        broker.start()
        assert here.worker.is_running
        assert answered_in(here, client, within=20) < 10
        for each, post in busy:
            assert each.reply_in(post, "completed")["attempt"] == 1
    assert here.worker.is_running


@pytest.mark.fault("F11")
def test_messages_are_taken_while_the_broker_is_down_and_answered_when_it_is_back(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    broker = with_broker(here)
    clients = here.clients(20)
    broker.kill()
    assert not is_healthy(broker.url)
    posts = [client.post("Hello") for client in clients]
    posts += [client.post("And then?") for client in clients]
    assert max(post.answer.seconds for post in posts) < 1

    broker.start()
    back = here.now()
    for client, post in zip(clients * 2, posts, strict=True):
        assert client.reply_in(post, "completed")["completed_at"] < back + 10


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F11")
def test_a_minute_without_broker_is_made_good_within_ten_seconds(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    broker = with_broker(here)
    clients = here.clients(5)
    broker.kill()
    down = here.now()
    posts = []
    for since in range(0, 60, 5):
        here.wait_for_time(down + since)
        posts += [(client, client.post("Hello")) for client in clients]
    assert max(post.answer.seconds for _, post in posts) < 1

    broker.start()
    back = here.now()
    for client, post in posts:
        assert client.reply_in(post, "completed")["completed_at"] < back + 10


@pytest.mark.slow
@pytest.mark.fault("F12")
def test_a_broker_link_gone_silent_is_noticed_within_fifteen_seconds(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    broker = here.stack.broker().start()
    link = here.proxy(broker.url)
    here.reroute(here.worker, BROKER_URL=link.url)
    here.start()
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")

    assert link.half_open()
    assert answered_in(here, client, within=30) < 15
    assert here.worker.is_running


@pytest.mark.fault("F12")
def test_a_publish_that_goes_into_the_void_delays_no_answer_and_loses_no_message(
    here: Usual,
) -> None:
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")
    here.web_wire.pause()
    for _ in range(3):
        post = client.post("Are you there?")
        assert post.answer.seconds < 1
        reply = client.reply_in(post, "completed")
        assert reply["completed_at"] < reply["created_at"] + GRACE + 2


@pytest.mark.slow
@pytest.mark.fault("F12")
def test_a_worker_whose_broker_link_has_gone_silent_still_ends_when_it_is_told_to(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    broker = here.stack.broker().start()
    link = here.proxy(broker.url)
    here.reroute(here.worker, BROKER_URL=link.url)
    here.start()
    clients = here.clients(3)
    posts = [client.post("Tell me [[tokens=20 rate=10]]") for client in clients]
    here.wait_for_streams(3)

    assert link.half_open()
    assert here.worker.stop() == 0
    here.worker.start()
    for client, post in zip(clients, posts, strict=True):
        assert client.reply_in(post, "completed")["attempt"] == 1
