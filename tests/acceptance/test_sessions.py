"""Sessions that many post to at once, and sessions that end under their turns."""

from functools import partial

import pytest

from tests.acceptance.client import Client
from tests.acceptance.history import Post
from tests.acceptance.scene import Scene
from tests.acceptance.usual import Usual
from tests.harness.concurrency import run_concurrently
from tests.harness.wait import wait_until


@pytest.mark.fault("F29")
def test_five_messages_at_once_are_answered_in_order_each_having_seen_the_ones_before(
    here: Usual,
) -> None:
    here.stack.web(1).start()
    here.stack.worker(1).start()
    client = here.client()
    twins = [client.twin() for _ in range(5)]
    for number, twin in enumerate(twins):
        twin.url = here.stack.web(number % 2).url
    posts = run_concurrently([partial(twin.post, "Hello [[tokens=9 rate=20]]") for twin in twins])
    here.rest()

    posts.sort(key=lambda post: int(post.reply_id.removeprefix("msg_")))
    calls = here.calls()
    assert [call["last_user_message"] for call in calls] == [post.content for post in posts]
    seen: list[tuple[str, str]] = []
    for call, post in zip(calls, posts, strict=True):
        seen.append(("user", post.content))
        assert [(each["role"], each["content"]) for each in call["messages"]] == seen
        seen.append(("assistant", client.reply_in(post, "completed")["content"]))


@pytest.mark.fault("F29")
def test_two_hundred_posts_with_fifty_keys_are_taken_once_each_up_to_the_cap(here: Usual) -> None:
    client = here.client()
    first = client.post("Wait [[tokens=30 rate=10]]")
    client.said(first)
    contents = [here.history.unique("Hello") for _ in range(50)]
    tries = [
        partial(client.twin().try_to_post, content, key=f"a key of {content}")
        for content in contents * 4
    ]
    posts = run_concurrently(tries)

    accepted = {post.key: post for post in posts if post.is_accepted}
    refused = [post for post in posts if not post.is_accepted]
    assert len(accepted) == 20
    assert {post.answer.status for post in refused} == {429}
    assert {post.answer.body["error"]["code"] for post in refused} == {"session_queue_full"}
    numbers = sorted(int(post.message_id.removeprefix("msg_")) for post in accepted.values())
    assert numbers == list(range(3, 43, 2))
    here.rest()
    assert len(here.calls()) == 21


def three_stages(here: Scene, **fields: int) -> list[tuple[Client, Post]]:
    """Return three sessions and a turn of each: one runs, one is queued, one waits to retry."""
    running, queued, retrying = (here.client(**fields) for _ in range(3))
    posts = [client.post("Tell me [[tokens=50 rate=10]]") for client in (running, queued)]
    here.wait_for_streams(2)
    posts[1] = queued.post("And then?")
    # Not before the others run: from here on their model is asked nothing.
    posts.append(retrying.post("Hello [[fault:429 retry_after=3 times=1]]"))
    here.history.faults[posts[2].content] = 1
    retrying.waits_for(posts[2], "rate_limited")
    return list(zip((running, queued, retrying), posts, strict=True))


@pytest.mark.fault("F28")
def test_nothing_comes_back_of_sessions_deleted_under_their_turns(here: Usual) -> None:
    stages = three_stages(here)
    for client, _ in stages:
        assert client.delete().status == 204
    # The worker learns that its sessions are gone and hangs up; the retry falls due for nothing.
    wait_until(
        lambda: all(call["client_disconnected"] for call in here.calls("Tell me")), within=30
    )
    for client, post in stages:
        assert client.call("GET", f"/sessions/{client.session_id}").status == 404
        assert client.post_again(post).answer.status == 404
    here.worker.stop()
    assert here.kept().owners == {}
    assert len(here.calls()) == 3


@pytest.mark.fault("F28")
def test_pending_work_keeps_its_session_alive_beyond_its_ttl_and_then_it_ends(here: Usual) -> None:
    stages = three_stages(here, ttl=1)
    # All at once: each session ends a second after its turn.
    replies = run_concurrently(
        [partial(client.reply_in, post, "completed") for client, post in stages]
    )
    for reply in replies:
        assert reply["completed_at"] - reply["created_at"] > 2
    here.history.ended.update(client.session_id for client, _ in stages)
    wait_until(lambda: not here.kept().owners, within=30)
    for client, _ in stages:
        assert client.call("GET", f"/sessions/{client.session_id}").status in {401, 404}
