"""Sessions that many post to at once, and sessions that end under their turns."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.acceptance.client import Client
from tests.acceptance.history import Post
from tests.acceptance.scene import Scene
from tests.harness.crowd import at_once
from tests.harness.waiting import wait_until


@pytest.mark.fault("F29")
def test_five_messages_at_once_are_answered_in_order_each_having_seen_the_ones_before(
    scene: Callable[..., Scene],
) -> None:
    here = scene().start(webs=2, workers=2)
    client = here.client()
    twins = [client.twin() for _ in range(5)]
    for number, twin in enumerate(twins):
        twin.url = here.stack.web(number % 2).url
    posts = at_once([partial(twin.post, "Hello [[tokens=9 rate=20]]") for twin in twins])
    here.rest()

    posts.sort(key=lambda post: int(post.reply_id.removeprefix("msg_")))
    calls = here.calls()
    assert [call["asked"] for call in calls] == [post.content for post in posts]
    seen: list[tuple[str, str]] = []
    for call, post in zip(calls, posts, strict=True):
        seen.append(("user", post.content))
        assert [(each["role"], each["content"]) for each in call["messages"]] == seen
        seen.append(("assistant", client.reply_in(post, "completed")["content"]))


@pytest.mark.fault("F29")
def test_two_hundred_posts_with_fifty_keys_are_taken_once_each_up_to_the_cap(
    scene: Callable[..., Scene],
) -> None:
    here = scene().start()
    client = here.client()
    first = client.post("Wait [[tokens=30 rate=10]]")
    client.said(first)
    contents = [here.history.unique("Hello") for _ in range(50)]
    tries = [
        partial(client.twin().try_to_post, content, key=f"a key of {content}")
        for content in contents * 4
    ]
    posts = at_once(tries)

    accepted = {post.key: post for post in posts if post.is_accepted}
    refused = [post for post in posts if not post.is_accepted]
    assert len(accepted) == 20
    assert {post.answer.status for post in refused} == {429}
    assert {post.answer.body["error"]["code"] for post in refused} == {"inbox_full"}
    numbers = sorted(int(post.message_id.removeprefix("msg_")) for post in accepted.values())
    assert numbers == list(range(3, 43, 2))
    here.rest()
    assert len(here.calls()) == 21


def three_stages(here: Scene, **fields: int) -> list[tuple[Client, Post]]:
    """Return three sessions and their turns: one runs, one waits behind it, one waits to retry."""
    running, queued, retrying = (here.client(**fields) for _ in range(3))
    posts = [running.post("Tell me [[tokens=40 rate=10]]")]
    queued.post("Tell me [[tokens=40 rate=10]]")
    posts += [queued.post("And then?"), retrying.post("Hello [[fault:429 retry_after=3 times=1]]")]
    here.history.faults[posts[2].content] = 1
    wait_until(lambda: here.partials() == 2)
    retrying.waits_for(posts[2], "rate_limited")
    return list(zip((running, queued, retrying), posts, strict=True))


@pytest.mark.fault("F28")
def test_nothing_comes_back_of_sessions_deleted_under_their_turns(
    scene: Callable[..., Scene],
) -> None:
    here = scene().start()
    stages = three_stages(here)
    for client, _ in stages:
        assert client.delete().status == 204
    # The worker learns that its sessions are gone and hangs up; the retry falls due for nothing.
    wait_until(lambda: all(call["closed_early"] for call in here.calls("Tell me")))
    for client, post in stages:
        assert client.call("GET", f"/sessions/{client.session_id}").status == 404
        assert client.post_again(post).answer.status == 404
    here.worker.stop()
    assert here.kept().owners == {}
    assert len(here.calls()) == 3


@pytest.mark.fault("F28")
def test_pending_work_keeps_its_session_alive_beyond_its_ttl_and_then_it_ends(
    scene: Callable[..., Scene],
) -> None:
    here = scene().start()
    stages = three_stages(here, ttl=1)
    for client, post in stages:
        reply = client.reply_in(post, "completed")
        assert reply["completed_at"] - reply["created_at"] > 2
    here.history.ended.update(client.session_id for client, _ in stages)
    wait_until(lambda: not here.kept().owners)
    for client, _ in stages:
        assert client.call("GET", f"/sessions/{client.session_id}").status in {401, 404}
