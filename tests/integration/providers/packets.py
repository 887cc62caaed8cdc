"""Responses whose bytes reach the client in exactly the pieces that a test specifies.

A read from a socket returns whatever has arrived. Here the bytes come from a list instead, so that
a test is exact without delays.
"""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.module_loading import import_string

from chat.domain import Completion, Reasoning
from chat.domain.errors import ProviderError
from chat.http.cancellation import CancellableCall
from chat.http.connections import Connection
from chat.providers.base import Item
from chat.providers.registry import ALIASES
from tests.integration.providers.calls import HELLO
from tests.unit.providers.models import model


@dataclass(slots=True)
class Received:
    """What a call yielded, and how it ended."""

    items: list[Item] = field(default_factory=list)
    error: ProviderError | None = None

    @property
    def deltas(self) -> list[str]:
        return [item for item in self.items if isinstance(item, str)]

    @property
    def text(self) -> str:
        return "".join(self.deltas)

    @property
    def reasoning(self) -> str:
        return "".join(item.text for item in self.items if isinstance(item, Reasoning))

    @property
    def completion(self) -> Completion | None:
        last = self.items[-1] if self.items else None
        return last if isinstance(last, Completion) else None


class PacketSocket(socket.socket):
    """A connected socket whose reads return at most one of `pieces`, and then the end."""

    pieces: Iterator[bytes]
    rest = memoryview(b"")

    def recv_into(self, buffer: Any, *_arguments: Any) -> int:
        self.rest = self.rest or memoryview(next(self.pieces, b""))
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


class PacketServer:
    """A model that sends each response in pieces and then closes the connection."""

    def __init__(self, **fields: Any) -> None:
        self._pieces: Iterator[bytes] = iter(())
        configured = model(**fields)
        self._provider: Any = import_string(ALIASES[configured.provider])(configured)
        connect = self._connect

        class PacketConnection(Connection):
            def _new_conn(self) -> socket.socket:
                return connect()

        self._provider._client._adapter._pool.ConnectionCls = PacketConnection

    def receive(self, pieces: Iterable[bytes]) -> Received:
        """Return what a call yields that gets a response in these pieces."""
        self._pieces = filter(None, pieces)
        received = Received()
        try:
            for item in self._provider.stream(HELLO, CancellableCall()):
                received.items.append(item)
        except ProviderError as error:
            received.error = error
        self._peer.close()
        return received

    def _connect(self) -> socket.socket:
        client, self._peer = socket.socketpair()
        sock = PacketSocket(fileno=client.detach())
        sock.pieces = self._pieces
        return sock
