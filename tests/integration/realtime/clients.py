"""Plain clients that receive a session's events."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Self

import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.integration.api.client import APIClient

Event = dict[str, Any]
# The origin of the server's own pages.
OWN_ORIGIN = "own"
# Seconds per event.
TIMEOUT = 10.0


class WebSocketClient:
    """A WebSocket of a session."""

    def __init__(
        self,
        owner: APIClient,
        *,
        after: int | None = 0,
        query: str = "",
        origin: str | None = OWN_ORIGIN,
        auth: bool = True,
        path: str | None = None,
        user: str = "",
    ) -> None:
        """Connect, and authenticate by a frame unless `auth` is off or there is a `query`.

        Raises:
            InvalidStatus: the handshake was rejected.
        """
        path = f"{owner.path}/ws" if path is None else path
        self._exit_stack = ExitStack()
        self._connection: ClientConnection = self._exit_stack.enter_context(
            connect(
                f"ws{owner.url[4:]}{path}{query}",
                origin=None
                if origin is None
                else Origin(owner.url if origin == OWN_ORIGIN else origin),
                compression=None,
                max_size=None,
                proxy=None,
                close_timeout=0.2,
            )
        )
        if auth and not query:
            cursor = {} if after is None else {"after": after}
            users = {"user": user} if user else {}
            self.send_frame(type="auth", token=owner.token, **cursor, **users)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    def send_frame(self, **frame: Any) -> None:
        """Send a frame."""
        self.send(json.dumps(frame))

    def announce_frame(self, size: int) -> None:
        """Send the head of a text frame of `size` bytes, without its payload.

        If the server closes while more data arrives, the connection is reset, and the close frame
        may be lost.
        """
        self._connection.socket.sendall(b"\x81\xff" + size.to_bytes(8, "big") + bytes(4))

    def send(self, data: str | bytes | list[str] | list[bytes], *, text: bool = False) -> None:
        """Send a frame; a list is sent as one fragmented message.

        text: send bytes as a text frame.
        """
        self._connection.send(data, text=text or None)

    def ping(self) -> None:
        """Send a ping of the WebSocket protocol."""
        self._connection.ping()

    def receive_text(self, timeout: float = TIMEOUT) -> str:
        """Return the next frame, unparsed."""
        frame = self._connection.recv(timeout=timeout)
        assert isinstance(frame, str)
        return frame

    def receive(self, timeout: float = TIMEOUT) -> Event:
        """Return the next frame."""
        event: Event = json.loads(self.receive_text(timeout))
        return event

    def receive_until(self, event_type: str, timeout: float = TIMEOUT) -> list[Event]:
        """Return the frames up to the first of a type."""
        events = [self.receive(timeout)]
        while events[-1]["type"] != event_type:
            events.append(self.receive(timeout))
        return events

    def request(self, **frame: Any) -> Event:
        """Send a frame, and return its response; events before it are dropped."""
        self.send_frame(**frame)
        while "seq" in (response := self.receive()):
            pass
        return response

    def wait_until_authenticated(self) -> None:
        """Return when the server handles commands.

        The token itself is checked by then only if an event was received.
        """
        assert self.request(type="ping")["type"] == "pong"

    def close_code(self, timeout: float = TIMEOUT) -> int:
        """Return the close code; frames before it are dropped."""
        try:
            while True:
                self.receive_text(timeout)
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006

    def drop_connection(self) -> None:
        """Disconnect without a close frame."""
        self._connection.socket.close()


def handshake_status(owner: APIClient, **arguments: Any) -> int:
    """Return the status of a handshake, and check its error response."""
    try:
        with WebSocketClient(owner, **arguments):
            return 101
    except InvalidStatus as error:
        response = error.response
        assert json.loads(response.body)["error"]["request_id"] == response.headers["X-Request-ID"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        return response.status_code


class EventStreamClient:
    """An event stream of a session."""

    def __init__(
        self,
        owner: APIClient,
        *,
        after: int | None = None,
        last_event_id: int | str | None = None,
        ticket: str = "",
        user: str = "",
    ) -> None:
        params: dict[str, Any] = {} if after is None else {"after": after}
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        if ticket:
            params["ticket"] = ticket
        else:
            headers["Authorization"] = f"Bearer {owner.token}"
            headers |= {"Parley-User": user} if user else {}
        self.response = requests.get(
            f"{owner.url}{owner.path}/events",
            params=params,
            headers=headers,
            stream=True,
            timeout=TIMEOUT,
        )
        self._blocks = self._read_blocks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def read_block(self) -> dict[str, str]:
        """Return the fields of the next block by name; a comment's name is empty.

        Raises:
            StopIteration: the stream has ended.
        """
        return next(self._blocks)

    def receive(self) -> Event:
        """Return the next event, and check its id and name."""
        while "data" not in (block := self.read_block()):
            pass
        event: Event = json.loads(block["data"])
        assert block["event"] == event["type"]
        if "seq" in event:
            assert block["id"] == str(event["seq"])
        return event

    def receive_until(self, event_type: str) -> list[Event]:
        """Return the events up to the first of a type."""
        events = [self.receive()]
        while events[-1]["type"] != event_type:
            events.append(self.receive())
        return events

    def receive_all(self) -> list[Event]:
        """Return the events up to the stream's end."""
        return [json.loads(block["data"]) for block in self._blocks if "data" in block]

    def _read_blocks(self) -> Iterator[dict[str, str]]:
        block: dict[str, str] = {}
        for line in self.response.iter_lines(chunk_size=1):
            if line:
                name, _, value = line.decode().partition(":")
                block[name] = value.strip()
            elif block:
                yield block
                block = {}
