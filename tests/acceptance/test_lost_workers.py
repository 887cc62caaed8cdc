"""Workers that are killed, or stand still for longer than their lease."""

from collections.abc import Callable
from typing import Any

import pytest

from chat.store.scripts import read_script
from fakemodel.replies.reply import fill
from tests.acceptance.scene import LEASE, Scene
from tests.acceptance.usual import Usual
from tests.harness.wait import wait_until

SLOW = {"tokens": 200, "rate": 10}
"""How a call is answered that is to be under way when its worker is lost: for 20 s."""
QUICK = {"tokens": 40, "rate": 20}
"""For 2 s."""


@pytest.mark.fault("F01")
def test_fifty_turns_of_a_killed_worker_are_answered_once_by_the_next(here: Usual) -> None:
    here.script({"times": 50, **SLOW})
    clients = here.clients(50)
    posts = [client.post("Hello") for client in clients]
    here.wait_for_streams(50)
    queued = [client.post("And then?") for client in clients[::5]]

    here.worker.kill()
    here.history.faults.update(post.content for post in posts)
    here.worker.start()
    up = here.now()
    here.rest()

    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(post)
        assert reply["status"] == "completed"
        assert reply["attempt"] == 2
        assert reply["completed_at"] < up + LEASE + 2
    for client, post in zip(clients[::5], queued, strict=True):
        assert client.reply(post)["completed_at"] < up + LEASE + 2
    kept = here.kept()
    for client in clients:
        types = [event["type"] for event in kept.events[client.session_id]]
        assert types.count("message.restarted") == 1


@pytest.mark.fault("F02")
def test_a_worker_killed_just_before_finish_loses_no_reply(here: Usual) -> None:
    client = here.client()
    client.reply_in(client.post("So that Redis knows the scripts"), "completed")

    here.worker_link.pause_before(read_script("finish").sha)
    post = client.post("Hello")
    assert here.worker_link.triggered.wait(20)
    assert here.calls(post.content)[0]["finished_at"]
    here.worker.kill()
    here.worker_link.disconnect()
    here.history.faults[post.content] = 1
    here.worker.start()
    up = here.now()

    reply = client.reply_in(post, "completed")
    assert reply["attempt"] == 2
    assert reply["completed_at"] < up + LEASE + 2


@pytest.mark.fault("F04")
def test_a_frozen_worker_writes_nothing_once_its_lease_is_over(here: Usual) -> None:
    # When it thaws, some of its calls still go on, and others have all they need for a finish.
    here.script({"match": "long", "times": 5, **SLOW}, {"match": "short", "times": 5, **QUICK})
    clients = here.clients(10)
    talks = [
        (client, client.post(f"{kind} [[tokens=30 rate=10]]"))
        for client, kind in zip(clients, 5 * ["long", "short"], strict=True)
    ]
    here.wait_for_streams(10)
    here.worker.freeze()
    here.history.faults.update(post.content for _, post in talks)
    here.stack.worker(1).start()
    wait_until(lambda: all(is_said_again(client.reply(post)) for client, post in talks), within=30)
    here.worker.thaw()

    # It learns that its leases are lost, and hangs up on the model.
    for _, post in talks[::2]:
        here.wait_for_hang_up(post)
    for client, post in talks:
        reply = client.reply_in(post, "completed")
        assert reply["attempt"] == 2
        assert reply["content"] == fill(f"echo: {post.content}", 30)
        client.post("And then?")


def is_said_again(reply: dict[str, Any]) -> bool:
    return reply["attempt"] == 2 and len(reply["content"]) > 0


@pytest.mark.fault("F27")
def test_a_message_that_kills_its_worker_each_time_fails_and_the_next_is_answered(
    scene: Callable[..., Scene],
) -> None:
    here = scene(max_attempts=3, lease_ttl=1).start()
    here.script({"match": "poison", "times": 0, **SLOW})
    client = here.client()
    poison = client.post("poison")
    cure = client.post("Are you there?")
    for attempt in range(1, 4):
        here.wait_for_call(poison, attempt)
        here.worker.kill()
        here.worker.start()
    here.history.faults[poison.content] = 2

    reply = client.reply_in(poison, "failed")
    assert reply["error"]["code"] == "worker_lost"
    assert reply["attempt"] == 3
    client.reply_in(cure, "completed")
