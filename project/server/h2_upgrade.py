"""Requests that ask for another protocol than a WebSocket's, read as the HTTP that they are.

RFC 9110, 7.8 lets a server ignore `Upgrade`; Java's HttpClient and `curl --http2` ask for HTTP/2 by
it, whatever they send. The parser takes all that follows such a head for the other protocol's, the
request's own body with it, and uvicorn drops it.
"""

from typing import Any, Protocol

from httptools import HttpParserUpgrade, HttpRequestParser


class Reader(Protocol):
    """Whom the parser tells of a request."""

    def ignores_upgrade(self) -> bool:
        """Whether the request whose head was read last asks for a protocol that is not spoken."""

    def plain_head(self) -> bytes:
        """Return its head without that wish."""


class Parser(HttpRequestParser):
    """Reads the head of such a request once more without its wish, and then what follows it."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._reader = reader
        # As uvicorn's own: a request behind the connection's last one is not that one's fault.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: Any) -> None:
        """Read what has come.

        Raises:
            HttpParserUpgrade: from here on it is a WebSocket, or what CONNECT is for.
        """
        rest = memoryview(data)
        while True:
            try:
                super().feed_data(rest)
            except HttpParserUpgrade as upgrade:
                if not self._reader.ignores_upgrade():
                    raise
                (read,) = upgrade.args
            else:
                return
            rest = rest[read:]
            super().feed_data(self._reader.plain_head())
