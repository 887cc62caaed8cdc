"""The tutorial's client: the three requests that its pages send."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

# The origin of its pages.
ORIGIN = "http://localhost:3000"
# Seconds per response.
TIMEOUT = 30.0


class TutorialClient:
    """One user of the tutorial."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""

    def open_session(self, name: str = "Ada") -> dict[str, Any]:
        """Create a session, as the first page does."""
        response = self.request("POST", "/token", name=name)
        assert response.status_code == 200, response.text
        session: dict[str, Any] = response.json()
        self.token = session["token"]
        return session

    def refresh(self) -> dict[str, Any]:
        """Get the session, as the chat page does first."""
        response = self.request("GET", "/refresh_token", token=self.token)
        assert response.status_code == 200, response.text
        session: dict[str, Any] = response.json()
        return session

    def request(self, method: str, path: str, **query: str) -> requests.Response:
        """Send a request with an Origin, as a browser does."""
        headers = {"Origin": ORIGIN}
        return requests.request(
            method, self.url + path, params=query, headers=headers, timeout=TIMEOUT
        )

    @contextmanager
    def connect(
        self, *, token: str | None = None, origin: str = ORIGIN
    ) -> Iterator["TutorialWebSocketClient"]:
        """Open the WebSocket, as the chat page does next."""
        url = self.url.replace("http", "ws", 1)
        query = self.token if token is None else token
        place = f"{url}/chat?token={query}"
        with connect(place, origin=Origin(origin), proxy=None) as connection:
            yield TutorialWebSocketClient(connection)


class TutorialWebSocketClient:
    """The WebSocket of the chat page."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, text: str) -> None:
        """Send a message."""
        self.connection.send(text)

    def receive(self) -> dict[str, str]:
        """Return the next frame, and check the tutorial's format."""
        frame: dict[str, str] = json.loads(self.connection.recv(TIMEOUT))
        assert set(frame) == {"id", "msg", "timestamp"}
        assert frame["msg"].startswith("Bot: ")
        return frame

    def request(self, text: str) -> str:
        """Send a message; return the text of the next frame, without the speaker."""
        self.send(text)
        return self.receive()["msg"].removeprefix("Bot: ")

    def close_code(self) -> int | None:
        """Return the server's close code; frames before it are dropped."""
        with suppress(ConnectionClosed):
            while True:
                self.connection.recv(TIMEOUT)
        return self.connection.close_code
