"""Where a request goes: host, port and the start of its head, from a URL."""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import quote, urlsplit

# Schemes of URLs, and their ports.
PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
# What may be in a path or query; all else is escaped. `%` starts what is escaped already.
_SAFE = "!$%&'()*+,/:;=?@[]~"


class Target(NamedTuple):
    # In ASCII, as DNS has it.
    host: str
    port: int
    is_tls: bool
    # The rest of the request line and the line after it, which names the host.
    line: str

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Parse a URL; its fragment, user and password are left out.

        Raises:
            ValueError: it is not http(s), or has no valid host or port.
        """
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("not an http(s) URL")
        host = parts.hostname.encode("idna").decode()
        if not _HOST.fullmatch(host):
            raise ValueError("an invalid host")
        name = f"[{host}]" if ":" in host else host
        default = PORTS[parts.scheme]
        port = default if parts.port is None else parts.port
        authority = name if port == default else f"{name}:{port}"
        query = f"?{parts.query}" if parts.query else ""
        path = quote((parts.path or "/") + query, safe=_SAFE)
        line = f" {path} HTTP/1.1\r\nHost: {authority}\r\n"
        return cls(host, port, parts.scheme == "https", line)

    def request(self, method: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """Return a request as one piece, so that the server wakes up once."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = f"{method}{self.line}{lines}{length}\r\n"
        return head.encode("latin-1") + (body or b"")
