"""Clients that post messages until a test has what it needs."""

from functools import partial
from itertools import count
from threading import Event

from tests.acceptance.client import Client
from tests.acceptance.history import Post
from tests.harness.concurrency import start_concurrently
from tests.harness.wait import wait_until


class LoadGenerator:
    """Each client posts one message after another; subclasses say which, and what follows."""

    def __init__(self, clients: list[Client]) -> None:
        self.posts: list[tuple[Client, Post]] = []
        self._stopping = Event()
        self._futures = start_concurrently([partial(self._run, client) for client in clients])

    def post(self, client: Client, number: int) -> Post:
        """Post message `number` of this client; return once it is accepted."""
        post = client.try_to_post(f"Hello {number} [[latency=0.1]]")
        return post if post.is_accepted else client.post_until_accepted(post, within=60)

    def follow(self, client: Client, number: int, post: Post) -> None:  # noqa: ARG002
        """Do what comes between a post and the next one of its client."""
        client.wait_for_reply(post, within=60)

    def wait_for_posts(self, number: int) -> None:
        """Wait until this number of additional messages is accepted."""
        total = len(self.posts) + number
        wait_until(lambda: len(self.posts) >= total, within=60)

    def stop(self) -> list[tuple[Client, Post]]:
        """Wait for the current messages; return all accepted ones."""
        self._stopping.set()
        for future in self._futures:
            future.result()
        return self.posts

    def _run(self, client: Client) -> None:
        for number in count():
            if self._stopping.is_set():
                return
            post = self.post(client, number)
            self.posts.append((client, post))
            self.follow(client, number, post)
