"""One who follows a session by every way there is, and whose line is cut all the time."""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import requests
from urllib3.exceptions import HTTPError
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Origin

from parley_client import sse

Event = dict[str, Any]
# What a cut looks like to a client; a timeout is one, too, and so is what requests raises.
CONNECTION_ERRORS = (OSError, HTTPError, WebSocketException)
# Seconds.
CONNECT_TIMEOUT = 5.0
# Replies asked for and not ended.
MAX_OPEN_REPLIES = 2
TERMINAL_STATUSES = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class RoamingClient:
    """Goes from way to way and from web to web; checks each step against what it knows."""

    def __init__(self, urls: list[str], session_id: str, token: str, seed: int) -> None:
        self.cursor = 0
        # Reply id -> its text, as far as it was told.
        self.texts: dict[str, str] = {}
        self.ended: set[str] = set()
        self.cuts = 0
        self.events = 0
        self._urls = urls
        self._session_id, self._token = session_id, token
        self._random = random.Random(seed)
        self._transports = itertools.cycle([self._by_websocket, self._by_stream, self._by_poll])

    def step(self) -> None:
        """Follow by the next way, for a random while; whatever ends it, it was a cut."""
        way = next(self._transports)
        patience = self._random.choice([0.01, 0.05, 0.1, 0.3])
        most = self._random.randrange(1, 15)
        with suppress(*CONNECTION_ERRORS):
            for update in itertools.islice(way(self._random.choice(self._urls), patience), most):
                self._apply(update)
        self.cuts += 1

    def _by_websocket(self, url: str, patience: float) -> Iterator[Event]:
        with connect(
            f"ws{url[4:]}/sessions/{self._session_id}/ws",
            origin=Origin(url),
            compression=None,
            proxy=None,
            open_timeout=CONNECT_TIMEOUT,
            close_timeout=0.1,
        ) as socket:
            socket.send(json.dumps({"type": "auth", "token": self._token, "after": self.cursor}))
            try:
                while True:
                    yield json.loads(socket.recv(timeout=patience))
            finally:
                if self._random.random() < 0.5:  # without a word
                    socket.socket.close()

    def _by_stream(self, url: str, patience: float) -> Iterator[Event]:
        with requests.get(
            f"{url}/sessions/{self._session_id}/events",
            headers={"Authorization": f"Bearer {self._token}", "Last-Event-ID": str(self.cursor)},
            stream=True,
            timeout=(CONNECT_TIMEOUT, patience),
        ) as response:
            check_response(response)
            chunks = iter(lambda: response.raw.read1(65536), b"")
            yield from (json.loads(data) for data in sse.events(chunks) if data)

    def _by_poll(self, url: str, patience: float) -> Iterator[Event]:
        while True:
            response = requests.get(
                f"{url}/sessions/{self._session_id}",
                params={"after": self.cursor, "wait": 5},
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=(CONNECT_TIMEOUT, patience),
            )
            check_response(response)
            yield {"type": "snapshot"} | response.json()

    def _apply(self, update: Event) -> None:
        if update["type"] == "gap":
            return
        if update["type"] == "snapshot":
            self._apply_snapshot(update)
        else:
            assert update["seq"] == self.cursor + 1, (update, self.cursor)
            self.events += 1
            self._apply_event(update)
        self.cursor = update["seq"]

    def _apply_snapshot(self, session: Event) -> None:
        assert session["seq"] >= self.cursor
        for message in session["messages"]:
            if message["role"] == "assistant":
                self._apply_reply(message)

    def _apply_event(self, event: Event) -> None:
        reply_id = event.get("message_id")
        if event["type"] == "message.delta":
            assert reply_id not in self.ended
            self.texts[str(reply_id)] += event["delta"]
        elif message := event.get("reply") or event.get("message"):
            if message["status"] in TERMINAL_STATUSES and reply_id in self.texts:
                assert message["content"] == self.texts[reply_id]
            self._apply_reply(message)

    def _apply_reply(self, reply: Event) -> None:
        if reply["id"] in self.ended:
            assert reply["content"] == self.texts[reply["id"]]
        self.texts[reply["id"]] = reply["content"]
        if reply["status"] in TERMINAL_STATUSES:
            self.ended.add(reply["id"])


def check_response(response: requests.Response) -> None:
    """Fail unless it is what a follower has to expect; that Redis is away is as good as a cut."""
    if response.status_code == 503:
        response.raise_for_status()
    assert response.status_code == 200, response.text


def run(walker: RoamingClient, post: Callable[[], object], *, replies: int, cuts: int) -> None:
    """Have so many replies written and the line cut so many times, each while the other goes on."""
    posted = 0
    while len(walker.ended) < replies or walker.cuts < cuts:
        is_its_time = walker.cuts * (replies + 1) >= cuts * posted
        if posted < replies and is_its_time and posted - len(walker.ended) < MAX_OPEN_REPLIES:
            post()
            posted += 1
        walker.step()
