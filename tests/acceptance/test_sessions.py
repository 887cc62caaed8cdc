"""Concurrent posts to a session, and sessions that end with open turns."""

from functools import partial

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.history import Post
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.concurrency import run_concurrently
from tests.harness.wait import wait_until


@pytest.mark.fault("F29")
def test_concurrent_messages_are_answered_in_order(
    deployment: SharedDeployment,
) -> None:
    deployment.stack.web(1).start()
    deployment.stack.worker(1).start()
    client = deployment.client()
    clients = [client.clone() for _ in range(5)]
    for number, each in enumerate(clients):
        each.url = deployment.stack.web(number % 2).url
    posts = run_concurrently([partial(each.post, "Hello [[tokens=9 rate=20]]") for each in clients])
    deployment.wait_until_idle()

    posts.sort(key=lambda post: int(post.reply_id.removeprefix("msg_")))
    calls = deployment.calls()
    assert [call["last_user_message"] for call in calls] == [post.content for post in posts]
    prompt: list[tuple[str, str]] = []
    for call, post in zip(calls, posts, strict=True):
        prompt.append(("user", post.content))
        assert [(each["role"], each["content"]) for each in call["messages"]] == prompt
        prompt.append(("assistant", client.wait_for_reply(post, "completed")["content"]))


@pytest.mark.thorough
@pytest.mark.fault("F29")
def test_200_posts_with_50_keys_create_20_turns(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client()
    first = client.post("Wait [[tokens=100 rate=10]]")
    client.wait_for_text(first)
    contents = [deployment.history.unique("Hello") for _ in range(50)]
    attempts = [
        partial(client.clone().post_until_answered, content, key=f"key of {content}")
        for content in contents * 4
    ]
    posts = run_concurrently(attempts)

    accepted = {post.key: post for post in posts if post.is_accepted}
    rejected = [post for post in posts if not post.is_accepted]
    assert len(accepted) == 20
    assert {post.response.status for post in rejected} == {429}
    assert {post.response.body["error"]["code"] for post in rejected} == {"session_queue_full"}
    numbers = sorted(int(post.message_id.removeprefix("msg_")) for post in accepted.values())
    assert numbers == list(range(3, 43, 2))
    deployment.wait_until_idle()
    assert len(deployment.calls()) == 21


def three_stages(deployment: Deployment, **fields: int) -> list[tuple[Client, Post]]:
    """Return three sessions with a running, a queued and a retrying turn."""
    running, queued, retrying = (deployment.client(**fields) for _ in range(3))
    posts = [client.post("Tell me [[tokens=50 rate=10]]") for client in (running, queued)]
    deployment.wait_for_streams(2)
    posts[1] = queued.post("And then?")
    # Last: from now on the model's limiter blocks all calls.
    posts.append(retrying.post("Hello [[fault:429 retry_after=3 times=1]]"))
    deployment.history.faults[posts[2].content] = 1
    retrying.wait_until_waiting(posts[2], "rate_limited")
    return list(zip((running, queued, retrying), posts, strict=True))


@pytest.mark.fault("F28")
def test_sessions_deleted_with_open_turns_leave_nothing(
    deployment: SharedDeployment,
) -> None:
    stages = three_stages(deployment)
    for client, _ in stages:
        assert client.delete().status == 204
    # The worker detects the deletion and cancels its calls; the retry does nothing.
    wait_until(
        lambda: all(call["client_disconnected"] for call in deployment.calls("Tell me")), within=30
    )
    for client, post in stages:
        assert client.call("GET", f"/sessions/{client.session_id}").status == 404
        assert client.repeat(post).response.status == 404
    deployment.worker.stop()
    assert deployment.redis_state().owners == {}
    assert len(deployment.calls()) == 3


@pytest.mark.thorough
@pytest.mark.fault("F28")
def test_open_turns_keep_their_session_alive(
    deployment: SharedDeployment,
) -> None:
    stages = three_stages(deployment, ttl=1)
    # Concurrently, because each session expires a second after its turn.
    replies = run_concurrently(
        [partial(client.wait_for_reply, post, "completed") for client, post in stages]
    )
    for reply in replies:
        assert reply["completed_at"] - reply["created_at"] > 2
    deployment.history.ended_sessions.update(client.session_id for client, _ in stages)
    wait_until(lambda: not deployment.redis_state().owners, within=30)
    for client, _ in stages:
        assert client.call("GET", f"/sessions/{client.session_id}").status in {401, 404}
