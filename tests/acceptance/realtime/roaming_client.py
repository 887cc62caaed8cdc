"""A client that changes transports and web processes, and loses its connection all the time."""

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
# Errors of a lost connection. They include timeouts, and all errors of requests.
CONNECTION_ERRORS = (OSError, HTTPError, WebSocketException)
# Seconds.
CONNECT_TIMEOUT = 5.0
# Replies in progress.
MAX_OPEN_REPLIES = 2
TERMINAL_STATUSES = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class RoamingClient:
    """Receives a session's events over all transports, and checks each one against the others."""

    def __init__(self, urls: list[str], session_id: str, token: str, seed: int) -> None:
        self.cursor = 0
        # Reply id -> text so far.
        self.texts: dict[str, str] = {}
        self.ended: set[str] = set()
        self.disconnects = 0
        self.events = 0
        self._urls = urls
        self._session_id, self._token = session_id, token
        self._random = random.Random(seed)
        self._transports = itertools.cycle([self._by_websocket, self._by_stream, self._by_poll])

    def step(self) -> None:
        """Receive over the next transport for a random time, and then disconnect."""
        transport = next(self._transports)
        timeout = self._random.choice([0.01, 0.05, 0.1, 0.3])
        max_items = self._random.randrange(1, 15)
        with suppress(*CONNECTION_ERRORS):
            for item in itertools.islice(
                transport(self._random.choice(self._urls), timeout), max_items
            ):
                self._apply(item)
        self.disconnects += 1

    def _by_websocket(self, url: str, timeout: float) -> Iterator[Event]:
        with connect(
            f"ws{url[4:]}/sessions/{self._session_id}/ws",
            origin=Origin(url),
            compression=None,
            proxy=None,
            open_timeout=CONNECT_TIMEOUT,
            close_timeout=0.1,
        ) as websocket:
            websocket.send(json.dumps({"type": "auth", "token": self._token, "after": self.cursor}))
            try:
                while True:
                    yield json.loads(websocket.recv(timeout=timeout))
            finally:
                if self._random.random() < 0.5:  # without a close frame
                    websocket.socket.close()

    def _by_stream(self, url: str, timeout: float) -> Iterator[Event]:
        with requests.get(
            f"{url}/sessions/{self._session_id}/events",
            headers={"Authorization": f"Bearer {self._token}", "Last-Event-ID": str(self.cursor)},
            stream=True,
            timeout=(CONNECT_TIMEOUT, timeout),
        ) as response:
            check_response(response)
            chunks = iter(lambda: response.raw.read1(65536), b"")
            yield from (json.loads(data) for data in sse.events(chunks) if data)

    def _by_poll(self, url: str, timeout: float) -> Iterator[Event]:
        while True:
            response = requests.get(
                f"{url}/sessions/{self._session_id}",
                params={"after": self.cursor, "wait": 5},
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=(CONNECT_TIMEOUT, timeout),
            )
            check_response(response)
            yield {"type": "snapshot"} | response.json()

    def _apply(self, item: Event) -> None:
        if item["type"] == "gap":
            return
        if item["type"] == "snapshot":
            self._apply_snapshot(item)
        else:
            assert item["seq"] == self.cursor + 1, (item, self.cursor)
            self.events += 1
            self._apply_event(item)
        self.cursor = item["seq"]

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
    """Raise a connection error for 503, and fail for any other error."""
    if response.status_code == 503:
        response.raise_for_status()
    assert response.status_code == 200, response.text


def run(
    client: RoamingClient, post: Callable[[], object], *, replies: int, disconnects: int
) -> None:
    """Get this number of replies, and disconnect at least this number of times, evenly spread."""
    posted = 0
    while len(client.ended) < replies or client.disconnects < disconnects:
        is_due = client.disconnects * (replies + 1) >= disconnects * posted
        if posted < replies and is_due and posted - len(client.ended) < MAX_OPEN_REPLIES:
            post()
            posted += 1
        client.step()
