"""Who talks with Parley while it is in trouble: they never give up and remember everything."""

import random
from collections.abc import Sequence
from threading import Event
from typing import Any

from tests.acceptance.client import Client
from tests.acceptance.history import OPEN, Answer, Post
from tests.acceptance.realtime.roaming_client import RoamingClient
from tests.acceptance.soak.place import Place
from tests.harness.wait import wait_until

PATIENCE = 120.0
"""Seconds until somebody who is not served says so."""
LOOK = 0.2
"""Seconds between two looks at a reply."""
MOST_TURNS = 8
"""Of a session: so few that the model is always shown all of them."""
WISHES = (
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
"""How the model is asked to answer; most of it is well."""


class Roamer(Client):
    """A client that goes to another web with every request."""

    def __init__(self, here: Place, seed: int) -> None:
        super().__init__(here.doors[0].url, here.history)
        self.random = random.Random(seed)
        self.urls: Sequence[str] = [door.url for door in here.doors]

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request to any of the webs."""
        self.url = self.random.choice(self.urls)
        return super().call(method, path, body, headers)

    def move_in(self) -> "Roamer":
        """Open a session, however long that takes."""
        self.token = ""
        answers: list[Answer] = []

        def is_open() -> bool:
            answers.append(self.call("POST", "/sessions", {}))
            return answers[-1].status == 201

        wait_until(is_open, within=PATIENCE, every=LOOK)
        self.session_id, self.token = answers[-1].body["id"], answers[-1].body["token"]
        return self

    def leave(self) -> None:
        """Delete the session, until it is gone."""
        wait_until(lambda: self.delete().status in {204, 401, 404}, within=PATIENCE, every=LOOK)

    def is_over(self, post: Post) -> bool:
        """Whether the reply was seen to have ended."""
        return self.reply(post).get("status", "queued") not in OPEN


class Talker:
    """Holds one conversation after the other, until told to stop."""

    def __init__(self, here: Place, seed: int, stopping: Event) -> None:
        self._client = Roamer(here, seed)
        self._random = random.Random(seed)
        self._stopping = stopping

    def talk(self) -> None:
        """Talk, and leave what was asked for last to the audit."""
        while not self._stopping.is_set():
            self._client.move_in()
            turns = 0
            while turns < MOST_TURNS and not self._stopping.is_set():
                turns += self._exchange(self._random.randrange(1, 4))
            if self._random.random() < 0.2:
                self._client.leave()

    def _exchange(self, number: int) -> int:
        """Post some messages at once and wait for the replies, or lose patience with the first."""
        posts = [self._post() for _ in range(number)]
        if self._random.random() < 0.1:
            self._client.cancel(posts[0])
        for post in posts:
            wait_until(
                lambda: self._stopping.is_set() or self._client.is_over(post),  # noqa: B023
                within=PATIENCE,
                every=LOOK,
            )
        return number

    def _post(self) -> Post:
        post = self._client.try_to_post(f"Hello {self._random.choice(WISHES)}")
        return post if post.is_accepted else self._client.insist(post, within=PATIENCE)


class Stroller:
    """Follows sessions of its own, is cut off all the time, and must see every event once."""

    def __init__(self, here: Place, seed: int, stopping: Event) -> None:
        self._here, self._seed, self._stopping = here, seed, stopping
        self._walks: list[tuple[RoamingClient, Roamer]] = []

    @property
    def steps(self) -> int:
        """How often it was cut off."""
        return sum(walker.disconnects for walker, _ in self._walks)

    def stroll(self) -> None:
        """Follow one session after the other."""
        while not self._stopping.is_set():
            client = Roamer(self._here, self._seed).move_in()
            walker = RoamingClient(list(client.urls), client.session_id, client.token, self._seed)
            self._walks.append((walker, client))
            self._walk(walker, client)

    def _walk(self, walker: RoamingClient, client: Roamer) -> None:
        for turn in range(1, MOST_TURNS + 1):
            post = client.try_to_post("Tell me [[tokens=30 rate=30]]")
            if not post.is_accepted:
                client.insist(post, within=PATIENCE)
            while len(walker.ended) < turn:
                if self._stopping.is_set():
                    return
                walker.step()

    def check(self) -> None:
        """At rest: whatever was told in pieces is what is stored, and nothing is missing."""
        for walker, client in self._walks:
            snapshot = client.call("GET", f"/sessions/{client.session_id}?limit=200").body
            while walker.cursor < snapshot["seq"]:
                walker.step()
            stored = {m["id"]: m["content"] for m in snapshot["messages"] if m["role"] != "user"}
            assert walker.texts == stored, client.session_id
