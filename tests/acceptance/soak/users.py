"""The load of a soak: users that never give up and record everything."""

import random
from collections.abc import Sequence
from threading import Event
from typing import Any

from tests.acceptance.client import Client
from tests.acceptance.history import OPEN_STATUSES, Post, Response
from tests.acceptance.realtime.roaming_client import RoamingClient
from tests.acceptance.soak.deployment import SoakDeployment
from tests.harness.wait import wait_until

# Seconds after which a user without a reply fails the test.
TIMEOUT = 120.0
# Seconds between two polls of a reply.
POLL_INTERVAL = 0.2
# Maximum turns of a session. The model always gets all of them.
MAX_TURNS = 8
# Directives to the model; most of them request a normal reply.
DIRECTIVES = (
    *(8 * ["[[tokens=20 rate=40]]"]),
    *(2 * ["[[tokens=60 rate=20]]"]),
    "[[tokens=5]]",
    "[[fault:429 retry_after=1 times=1]]",
    "[[fault:500 times=1]]",
    "[[fault:503 times=2]]",
    "[[fault:hang times=1]]",
    "[[fault:stall after=3 tokens=20 times=1]]",
    "[[fault:cut after=5 tokens=20 times=1]]",
    "[[fault:reset after=0 times=1]]",
    "[[fault:html times=1]]",
    "[[fault:invalid_utf8 times=1]]",
)


class BalancedClient(Client):
    """A client that sends each request to a random web process."""

    def __init__(self, deployment: SoakDeployment, seed: int) -> None:
        super().__init__(deployment.web_proxies[0].url, deployment.history)
        self.random = random.Random(seed)
        self.urls: Sequence[str] = [proxy.url for proxy in deployment.web_proxies]

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        self.url = self.random.choice(self.urls)
        return super().call(method, path, body, headers)

    def open_session(self) -> "BalancedClient":
        """Create a session; retry until it succeeds."""
        self.token = ""
        responses: list[Response] = []

        def is_created() -> bool:
            responses.append(self.call("POST", "/sessions", {}))
            return responses[-1].status == 201

        wait_until(is_created, within=TIMEOUT, every=POLL_INTERVAL)
        self.session_id, self.token = responses[-1].body["id"], responses[-1].body["token"]
        return self

    def delete_session(self) -> None:
        """Delete the session; retry until it succeeds."""
        wait_until(
            lambda: self.delete().status in {204, 401, 404}, within=TIMEOUT, every=POLL_INTERVAL
        )

    def has_ended(self, post: Post) -> bool:
        return self.reply(post).get("status", "queued") not in OPEN_STATUSES


class ChatUser:
    """Has one conversation after another until `stopping` is set."""

    def __init__(self, deployment: SoakDeployment, seed: int, stopping: Event) -> None:
        self._client = BalancedClient(deployment, seed)
        self._random = random.Random(seed)
        self._stopping = stopping

    def run(self) -> None:
        """Chat. The audit checks the replies that are open at the end."""
        while not self._stopping.is_set():
            self._client.open_session()
            turns = 0
            while turns < MAX_TURNS and not self._stopping.is_set():
                turns += self._exchange(self._random.randrange(1, 4))
            if self._random.random() < 0.2:
                self._client.delete_session()

    def _exchange(self, number: int) -> int:
        """Post messages and wait for the replies; sometimes cancel the first one."""
        posts = [self._post() for _ in range(number)]
        if self._random.random() < 0.1:
            self._client.cancel(posts[0])
        for post in posts:
            wait_until(
                lambda: self._stopping.is_set() or self._client.has_ended(post),  # noqa: B023
                within=TIMEOUT,
                every=POLL_INTERVAL,
            )
        return number

    def _post(self) -> Post:
        post = self._client.try_to_post(f"Hello {self._random.choice(DIRECTIVES)}")
        return post if post.is_accepted else self._client.post_until_accepted(post, within=TIMEOUT)


class SubscribingUser:
    """Subscribes to its own sessions across disconnects, and must receive every event once."""

    def __init__(self, deployment: SoakDeployment, seed: int, stopping: Event) -> None:
        self._deployment, self._seed, self._stopping = deployment, seed, stopping
        self._clients: list[tuple[RoamingClient, BalancedClient]] = []

    @property
    def disconnects(self) -> int:
        return sum(subscriber.disconnects for subscriber, _ in self._clients)

    def run(self) -> None:
        """Subscribe to one session after another."""
        while not self._stopping.is_set():
            client = BalancedClient(self._deployment, self._seed).open_session()
            subscriber = RoamingClient(
                list(client.urls), client.session_id, client.token, self._seed
            )
            self._clients.append((subscriber, client))
            self._follow(subscriber, client)

    def _follow(self, subscriber: RoamingClient, client: BalancedClient) -> None:
        for turn in range(1, MAX_TURNS + 1):
            post = client.try_to_post("Tell me [[tokens=30 rate=30]]")
            if not post.is_accepted:
                client.post_until_accepted(post, within=TIMEOUT)
            while len(subscriber.ended) < turn:
                if self._stopping.is_set():
                    return
                subscriber.step()

    def check(self) -> None:
        """Fail unless the subscribers have received everything that is stored; call it at rest."""
        for subscriber, client in self._clients:
            snapshot = client.call("GET", f"/sessions/{client.session_id}?limit=200").body
            while subscriber.cursor < snapshot["seq"]:
                subscriber.step()
            stored = {m["id"]: m["content"] for m in snapshot["messages"] if m["role"] != "user"}
            assert subscriber.texts == stored, client.session_id
