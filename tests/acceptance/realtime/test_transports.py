"""Clients get every event once and in order, over all transports and despite disconnects."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.realtime.roaming_client import RoamingClient, run
from tests.harness.wait import wait_until

PROMPT = "Tell me something. [[rate=150 tokens=40]]"


def run_client(
    deployment: Deployment, seed: int, *, replies: int, disconnects: int
) -> RoamingClient:
    """Post messages to a new session, and receive all of its events."""
    client = deployment.client()
    urls = [deployment.stack.web(0).url, deployment.stack.web(1).url]
    roaming = RoamingClient(urls, client.session_id, client.token, seed)

    def post() -> None:
        """Post a message, with retries because a web process may be down."""
        client.post_until_accepted(client.try_to_post(PROMPT))

    run(roaming, post, replies=replies, disconnects=disconnects)
    check_client(roaming, client)
    return roaming


def check_client(roaming: RoamingClient, client: Client) -> None:
    """Check that the client received exactly what is stored."""
    stored = client.call("GET", f"/sessions/{client.session_id}/messages?limit=200").body["data"]
    replies = {each["id"]: each["content"] for each in stored if each["role"] == "assistant"}
    assert roaming.texts == replies
    assert all(replies.values())
    assert roaming.cursor == client.call("GET", f"/sessions/{client.session_id}").body["seq"]


@pytest.mark.fault("F26")
def test_random_disconnects_lose_and_repeat_no_event(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment().start(webs=2)
    with ThreadPoolExecutor(3) as threads:
        clients = threads.map(
            lambda seed: run_client(deployment, seed, replies=4, disconnects=20), range(3)
        )
        assert sum(roaming.events for roaming in clients) > 3 * 4


@pytest.mark.fault("F26")
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first_seed", [0, 4, 8])
def test_web_restarts_lose_and_repeat_no_event(
    build_deployment: Callable[..., Deployment], first_seed: int
) -> None:
    deployment = build_deployment().start(webs=2)
    deployment.history.servers_were_killed = True
    seeds = range(first_seed, first_seed + 4)
    with ThreadPoolExecutor(4) as threads:
        futures = [
            threads.submit(run_client, deployment, seed, replies=50, disconnects=200)
            for seed in seeds
        ]
        for number in (0, 1):
            posts = len(deployment.history.posts) + 40
            wait_until(partial(has_posted, posts, deployment, futures), within=300)
            deployment.stack.web(number).stop()
            deployment.stack.web(number).start()
        clients = [future.result() for future in futures]
    assert sum(roaming.events for roaming in clients) > 4 * 50


def has_posted(posts: int, deployment: Deployment, futures: list[Future[RoamingClient]]) -> bool:
    """Return whether there were this number of posts, or a client is done."""
    return len(deployment.history.posts) >= posts or any(future.done() for future in futures)
