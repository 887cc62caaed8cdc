"""A reverse proxy that serves one site below a path, as nginx's `location /chat/` does."""

import re

from tests.harness.proxy import Connection, Proxy

# A request head comes in one block; the proxy does not look into others.
REQUEST_LINE = re.compile(rb"([A-Z]+) (/[^ ]*) HTTP/1\.1\r\n")
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class PrefixProxy(Proxy):
    """Forwards requests below `prefix`; all others get an empty 404.

    strip: whether it removes the prefix from the paths (`proxy_pass http://parley/;`).
    """

    def __init__(self, url: str, prefix: str, *, strip: bool) -> None:
        super().__init__(url)
        # Scheme, host and port, as browsers send them.
        self.origin = self.url
        self.url += prefix
        # Paths of other requests, which belong to other sites of the host.
        self.outside: list[str] = []
        self._prefix = prefix.encode()
        self._strip = strip
        self._set_filter(self._route)

    def _route(self, connection: Connection, block: bytes) -> bool:
        head = REQUEST_LINE.match(block)
        if head is None:
            return False
        method, path = head.groups()
        rest = path.removeprefix(self._prefix)
        if rest == path or (rest and not rest.startswith((b"/", b"?"))):
            self.outside.append(path.decode())
            connection.client.sendall(NOT_FOUND)
            return True
        if self._strip and rest.startswith(b"/"):
            connection.server.sendall(b"%b %b HTTP/1.1\r\n" % (method, rest) + block[head.end() :])
            return True
        return False
