"""Responses whose bytes reach the client in exactly the pieces that a test specifies.

A read from a socket returns whatever has arrived. Here the bytes come from a list instead, so that
a test is exact without delays.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.module_loading import import_string

from chat.domain import Completion, Reasoning
from chat.domain.errors import ProviderError
from chat.http.loop_connection import Connection
from chat.providers.base import Item
from chat.providers.registry import ALIASES
from tests.integration.providers.calls import HELLO, on_loop
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


class PacketTransport(asyncio.Transport):
    """Answers a request with `pieces`, each in a separate read, and then the end."""

    def __init__(self, connection: Connection, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._connection = connection
        self._pieces = iter(pieces)
        connection.connection_made(self)

    def write(self, _data: object) -> None:
        asyncio.get_running_loop().call_soon(self._feed)

    def _feed(self) -> None:
        piece = next(self._pieces, b"")
        if not piece:
            self._connection.eof_received()
            self._connection.connection_lost(None)
            return
        self._connection.data_received(piece)
        asyncio.get_running_loop().call_soon(self._feed)

    def pause_reading(self) -> None:
        """Ignore it: no response of a test is that large."""

    def resume_reading(self) -> None:
        """Ignore it as well."""

    def abort(self) -> None:
        self._pieces = iter(())


class PacketServer:
    """A model that sends each response in pieces and then closes the connection."""

    def __init__(self, **fields: Any) -> None:
        configured = model(**fields)
        self._provider: Any = import_string(ALIASES[configured.provider])(configured)

    def receive(self, pieces: Iterable[bytes]) -> Received:
        """Return what a call yields that gets a response in these pieces."""
        return on_loop(self._receive(filter(None, pieces)))

    async def _receive(self, pieces: Iterable[bytes]) -> Received:
        async def connect() -> Connection:
            connection = Connection()
            PacketTransport(connection, pieces)
            return connection

        self._provider._client._http._connect = connect
        received = Received()
        try:
            async for item in self._provider.stream(HELLO):
                received.items.append(item)
        except ProviderError as error:
            received.error = error
        return received
