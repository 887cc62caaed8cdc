"""Two versions on one Redis, under load: an upgrade, and the way back."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.history import Post
from tests.acceptance.load import LoadGenerator
from tests.acceptance.realtime.test_transports import run_client
from tests.harness.releases import check_out_previous_release, use_release

pytestmark = [pytest.mark.fault("F24"), pytest.mark.thorough, pytest.mark.timeout(300)]

CLIENTS = 20
# Messages that are accepted before and after each change of the deployment.
POSTS = 2 * CLIENTS
REPLY = "[[tokens=20 rate=20]]"


@pytest.fixture
def deployment(tmp_path: Path, build_deployment: Callable[..., Deployment]) -> Deployment:
    """A web process and a worker of the previous release (0), and of this one (1)."""
    previous = check_out_previous_release(tmp_path / "previous")
    # Parts of URLs, options and stored fields that only one of them knows have their defaults.
    deployment = build_deployment(drain_timeout=0.5, partitions=256)
    for process in (deployment.web, deployment.worker):
        use_release(process, previous)
    deployment.start(webs=2, workers=2)
    return deployment


class Talk(LoadGenerator):
    """Clients that post to the web process of one release, and read from that of the other."""

    def __init__(self, deployment: Deployment) -> None:
        urls = [deployment.stack.web(number).url for number in (0, 1)]
        clients = [Client(urls[number % 2], deployment.history).open() for number in range(CLIENTS)]
        self._readers = {client: client.clone() for client in clients}
        for number, reader in enumerate(self._readers.values()):
            reader.url = urls[(number + 1) % 2]
        super().__init__(clients)

    def post(self, client: Client, number: int) -> Post:
        """Unlike in other tests, no post may be rejected."""
        return client.post(f"Hello {number} {REPLY}")

    def follow(self, client: Client, number: int, post: Post) -> None:
        """Cancel some of the replies."""
        reader = self._readers[client]
        if number % 5 == 4:
            reader.wait_for_text(post)
            reader.cancel(post)
        reader.wait_for_reply(post, within=60)


def test_both_releases_take_over_from_each_other(deployment: Deployment) -> None:
    talk = Talk(deployment)
    talk.wait_for_posts(POSTS)
    for number in (0, 1):
        # Its replies in progress are released to the worker of the other release.
        assert deployment.stack.worker(number).stop() == 0
        talk.wait_for_posts(POSTS)
        deployment.stack.worker(number).start()
        talk.wait_for_posts(POSTS)
    for number in (0, 1):
        # Its replies in progress are recovered by the worker of the other release.
        deployment.stack.worker(number).kill()
        talk.wait_for_posts(POSTS)
        deployment.stack.worker(number).start()
    posts = talk.stop()
    deployment.history.global_faults = 4
    replies = [client.wait_for_reply(post) for client, post in posts]
    assert {reply["status"] for reply in replies} == {"completed", "cancelled"}
    assert max(reply["attempt"] for reply in replies) > 1
    unexpected = [
        answer for answer in deployment.history.responses if answer.status not in {200, 201, 202}
    ]
    assert unexpected == []


def test_subscribers_roam_between_both_releases(deployment: Deployment) -> None:
    """The events of either worker, read from either web process, and sessions of either."""
    with ThreadPoolExecutor(3) as threads:
        futures: list[Future[object]] = [
            threads.submit(run_client, deployment, seed, replies=6, disconnects=20)
            for seed in range(3)
        ]
        for number in (0, 1):
            deployment.stack.worker(number).stop()
            deployment.stack.worker(number).start()
        for future in futures:
            future.result()
