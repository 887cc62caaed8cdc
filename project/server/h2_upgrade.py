"""A request parser that ignores upgrades to protocols other than WebSocket, such as HTTP/2.

RFC 9110, 7.8 lets a server ignore `Upgrade`. Java's HttpClient and `curl --http2` send it with
every request. After such headers, httptools stops parsing. It treats the rest, including the
request's own body, as data of the other protocol, and uvicorn drops it.
"""

from typing import Any, Protocol

from httptools import HttpParserUpgrade, HttpRequestParser


class ParserCallbacks(Protocol):
    """The methods of the protocol that the parser calls."""

    def is_ignored_upgrade(self) -> bool:
        """Whether the last headers request a protocol that the server does not support."""

    def head_without_upgrade(self) -> bytes:
        """Return the last head without its `Upgrade` header."""


class UpgradeIgnoringParser(HttpRequestParser):
    """Parses the head of such a request again without `Upgrade`, then the rest."""

    def __init__(self, callbacks: ParserCallbacks) -> None:
        super().__init__(callbacks)
        self._callbacks = callbacks
        # uvicorn sets the same: data after the last request is not an error in that request.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: Any) -> None:
        """Parse `data`.

        Raises:
            HttpParserUpgrade: the rest belongs to a WebSocket, or to the tunnel of a CONNECT.
        """
        rest = memoryview(data)
        while True:
            try:
                super().feed_data(rest)
            except HttpParserUpgrade as upgrade:
                if not self._callbacks.is_ignored_upgrade():
                    raise
                (parsed,) = upgrade.args
            else:
                return
            rest = rest[parsed:]
            super().feed_data(self._callbacks.head_without_upgrade())
